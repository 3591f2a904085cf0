"""What is watched: fleets by Kopf, the objects that they have by a mirror of our own.

Only what bears a fleet's label is asked for, so that a cluster's other Pods and Secrets never come
here; nodes are asked for as they are. An event says nothing but that a fleet should be looked at
again: what is there is read from the mirror, which is complete before the first event is told.

That watches progress is proved for each of them: the Lease is renewed by its holder every two
seconds; Kopf's watch of fleets is compared with one of our own; the mirror's say something each
minute, or else are made anew, which the server answers. While the mirror lists all that is there,
which takes its time in a large cluster, each page is a word.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Protocol, cast

import kopf

from statusfleet.handlers.following import Following
from statusfleet.handlers.lag import FleetLag
from statusfleet.handlers.mirror import BETWEEN_WORDS_SECONDS, FleetId, Mirror
from statusfleet.kube.client import KubeClient
from statusfleet.kube.connection import load_connection
from statusfleet.kube.kinds import LEASE, STATUS_FLEET, JsonDict
from statusfleet.kube.names import MANAGED_BY
from statusfleet.reconcile.racing import unless
from statusfleet.worlds.kubernetes.records import Snapshot

_PAGE: Final = 20
"""Kopf works on all objects of a page at a time, and of the next when it comes: few are held."""
_REQUEST_SECONDS: Final = 60.0
_IDLE_SECONDS: Final = 0.2
"""For how long Kopf keeps a task and the last body of an object that nothing happens to."""


class Listener(Protocol):
    """Who is told of events."""

    async def fleet_seen(self, body: JsonDict) -> None:
        """A StatusFleet is there, or has changed."""
        ...

    async def fleet_gone(self, body: JsonDict) -> None:
        """A StatusFleet is no more."""
        ...

    def wake(self, fleet: FleetId) -> None:
        """An object of a fleet has changed."""
        ...

    def wake_all(self) -> None:
        """Something that concerns every fleet has changed."""
        ...


class Watches:
    """The watches of one operator, and what they have seen."""

    def __init__(
        self,
        client: KubeClient,
        *,
        kubeconfig: str,
        context: str,
        namespaces: Collection[str],
        lease: tuple[str, str],
        clock: Callable[[], float],
    ) -> None:
        """Take where the cluster is, and what to watch ((): all namespaces).

        `lease` is namespace and name of the Lease whose renewals prove progress; it may stand where
        no fleet is looked after. `clock` gives seconds.
        """
        self._client = client
        self._kubeconfig = kubeconfig
        self._context = context
        self._namespaces = tuple(namespaces)
        self._lease = lease
        self._clock = clock
        self._mirror: Mirror | None = None
        self._progress: float | None = None
        self._lags = {one: FleetLag(clock) for one in self._namespaces or ("",)}
        self._compared: list[Following] = []

    @property
    def silent_seconds(self) -> float:
        """For how long one of the watches has brought nothing, beyond what is usual.

        A renewed Lease should come in every two seconds.
        """
        mirror = self._mirror.silent_seconds if self._mirror is not None else 0.0
        renewals = self._clock() - self._progress if self._progress is not None else 0.0
        lag = max(one.silent_seconds for one in self._lags.values())
        compared = max((one.silent_seconds for one in self._compared), default=0.0)
        return max(mirror, renewals, lag, compared - BETWEEN_WORDS_SECONDS)

    async def run(
        self, listener: Listener, stop: asyncio.Event, started: Callable[[], None]
    ) -> None:
        """Watch for `listener` until `stop` is set; `started` is called when Kopf is set up."""
        self._mirror = Mirror(
            self._client,
            self._namespaces,
            changed=listener.wake,
            all_changed=listener.wake_all,
            clock=self._clock,
        )
        async with asyncio.TaskGroup() as group:
            following = [group.create_task(self._mirror.run(), name="mirror")]
            if await unless(stop, self._mirror.complete()):
                self._progress = self._clock()
                self._compared = self._comparison()
                following += [group.create_task(one.run()) for one in self._compared]
                await self._run_kopf(listener, stop, started)
            for task in following:
                task.cancel()

    def snapshot(self, fleet: FleetId) -> Snapshot:
        """Return all records of one fleet as they are now."""
        return self._mirror.snapshot(fleet) if self._mirror is not None else Snapshot()

    def _comparison(self) -> list[Following]:
        """Return the watches of fleets by which Kopf's are judged."""
        listing = asyncio.Semaphore(1)
        return [
            Following(
                self._client,
                STATUS_FLEET,
                namespace,
                lag,
                label="",
                metadata_only=True,
                listing=listing,
                clock=self._clock,
            )
            for namespace, lag in self._lags.items()
        ]

    async def _run_kopf(
        self, listener: Listener, stop: asyncio.Event, started: Callable[[], None]
    ) -> None:
        for lag in self._lags.values():
            lag.start()
        others = asyncio.all_tasks()
        tasks = [
            *await self._spawn(self._fleets(listener), self._namespaces, stop),
            *await self._spawn(self._renewals(), (self._lease[0],), stop),
        ]
        started()
        await kopf.run_tasks(tasks, ignored=others)

    async def _spawn(
        self, registry: kopf.OperatorRegistry, namespaces: Collection[str], stop: asyncio.Event
    ) -> Collection[asyncio.Task[None]]:
        """Begin to watch what is registered, in these namespaces or, for (), in all."""

        @kopf.on.login(registry=registry)
        async def login(**_: object) -> kopf.ConnectionInfo:
            return await _credentials(self._kubeconfig, self._context)

        return await kopf.spawn_tasks(
            registry=registry,
            settings=self._settings(),
            standalone=True,
            # Made of the user's name otherwise, and the user of a container may have none.
            identity=cast("Any", MANAGED_BY),
            clusterwide=not namespaces,
            namespaces=namespaces,
            stop_flag=stop,
        )

    def _settings(self) -> kopf.OperatorSettings:
        settings = kopf.OperatorSettings()
        settings.posting.enabled = False
        settings.scanning.disabled = True  # asks for no right to see all of the cluster's CRDs
        settings.process.ultimate_exiting_timeout = None
        settings.networking.request_timeout = _REQUEST_SECONDS
        settings.watching.chunk_size = _PAGE
        settings.queueing.idle_timeout = _IDLE_SECONDS
        settings.watching.field_selectors[LEASE.api_version, LEASE.plural] = (
            f"metadata.name={self._lease[1]}"
        )
        return settings

    def _fleets(self, listener: Listener) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.event(STATUS_FLEET.api_version, STATUS_FLEET.plural, registry=registry)
        async def fleet(event: Mapping[str, Any], **_: object) -> None:
            body = dict(event["object"])
            gone = event["type"] == "DELETED"
            await (listener.fleet_gone(body) if gone else listener.fleet_seen(body))
            lag = self._lags.get(body["metadata"]["namespace"]) or self._lags[""]
            lag.told(body, gone=gone)

        return registry

    def _renewals(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.event(LEASE.api_version, LEASE.plural, registry=registry)
        async def renewed(**_: object) -> None:
            self._progress = self._clock()

        return registry


async def _credentials(kubeconfig: str, context: str) -> kopf.ConnectionInfo:
    """Find the cluster for Kopf as our own client does; asked again when they are refused."""
    connection = await load_connection(kubeconfig, context)
    found: Any = connection.configuration  # annotated in parts only
    header = await found.get_api_key_with_prefix("BearerToken") or ""
    return kopf.ConnectionInfo(
        server=found.host,
        ca_path=found.ssl_ca_cert,
        insecure=not found.verify_ssl,
        certificate_path=found.cert_file,
        private_key_path=found.key_file,
        token=header.rpartition(" ")[2] or None,  # after "Bearer" or, in a pod, "bearer"
        default_namespace=connection.namespace,
    )
