"""The fleets of one namespace, told of for as long as all can be seen that they are judged by.

    something cannot be seen ── all is seen ── Kopf tells of fleets ──┐
      └── their tasks end ◄── something is refused, or Kopf ends ◄────┘

An operator that begins anew goes on where the last one was; so the tasks of a namespace of which
nothing is known any more can end, and others begin when it is seen again. What was deleted
meanwhile is simply not told of then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final, NoReturn, Protocol

import kopf

from statusfleet.handlers.kopf_watch import KopfWatch, again
from statusfleet.handlers.lag import FleetLag
from statusfleet.handlers.sight import Sight
from statusfleet.kube.client import KubeClient
from statusfleet.kube.errors import TransientError
from statusfleet.kube.kinds import STATUS_FLEET, JsonDict
from statusfleet.reconcile.racing import unless

_DISCOVERY_SECONDS: Final = 1.0
_log: Final = logging.getLogger(__name__)


class FleetListener(Protocol):
    """Who is told of fleets."""

    async def fleet_seen(self, body: JsonDict) -> None:
        """A StatusFleet is there, or has changed."""
        ...

    async def fleet_gone(self, body: JsonDict) -> None:
        """A StatusFleet is no more."""
        ...

    async def leave(self, namespace: str) -> None:
        """Nobody tells of a namespace's fleets any more, "" for all; those seen again are told."""
        ...


class NamespaceWatch:
    """Kopf's watch of the fleets in one namespace, "" for all of them, and its beginning anew."""

    def __init__(
        self,
        client: KubeClient,
        kopf_watch: KopfWatch,
        sight: Sight,
        lag: FleetLag,
        listener: FleetListener,
    ) -> None:
        """Take what there is to see, what compares, and whom to tell."""
        self._client = client
        self._kopf_watch = kopf_watch
        self._sight = sight
        self._lag = lag
        self._listener = listener

    async def run(self) -> NoReturn:
        """Tell of fleets until cancelled."""
        while True:
            await self._sight.whole()
            try:
                await unless(self._sight.lost, again(self._sight.fleets, self._watch))
            finally:
                self._lag.rest()

    async def _watch(self) -> None:
        """Have Kopf tell of fleets until its watch ends."""
        await self._until_discovered()
        self._lag.start()
        try:
            await self._kopf_watch.run(self._registry(), self._sight.namespace)
        finally:
            await self._listener.leave(self._sight.namespace)

    async def _until_discovered(self) -> None:
        """Wait until the cluster names our kind, by which Kopf looks for it once, at its start."""
        while True:
            try:
                if await self._client.discovers(STATUS_FLEET):
                    return
            except TransientError as error:
                _log.warning("%s", error)
            await asyncio.sleep(_DISCOVERY_SECONDS)

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.event(STATUS_FLEET.api_version, STATUS_FLEET.plural, registry=registry)
        async def fleet(event: Mapping[str, Any], **_: object) -> None:
            body, gone = dict(event["object"]), event["type"] == "DELETED"
            await (self._listener.fleet_gone(body) if gone else self._listener.fleet_seen(body))
            self._lag.told(body, gone=gone)

        return registry
