"""The whole operator: leadership first, then watches and a task for each fleet, then nothing.

    stand by ── the Lease is ours ── watch ── SIGTERM: end the tasks, let the Lease go
                                       └───── the Lease is lost: exit at once

`/health` says whether this process should live: it stands by, or its watches progress. A lost Lease
is an error that ends the process; whatever was under way by then writes nothing any more.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from statusfleet.handlers.fleets import Fleets
from statusfleet.handlers.garbage import in_pieces, sweep_on
from statusfleet.handlers.numbers import Numbers
from statusfleet.handlers.slot import Slots
from statusfleet.handlers.surroundings import Surroundings
from statusfleet.handlers.watches import Watches
from statusfleet.kube.client import KubeClient
from statusfleet.kube.connection import Connection, load_connection
from statusfleet.kube.lease import LEASE_NAME, Leadership
from statusfleet.reconcile.racing import unless
from statusnode.metrics.process import process_families
from statusnode.metrics.server import MetricsServer, Sources
from statusnode.metrics.text import Family

_SILENCE_SECONDS: Final = 150.0
"""More than Kopf takes to notice that a connection is dead (70 s), and a slow server to answer
another request (60 s by its own bound): to be started anew would only make more of them."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """What the command line says. `namespaces`: those to look after, () for all.

    `lease_namespace` is where the Lease stands, "" for the one we are in; `host` and `port` are of
    health and metrics, port 0 any free one. `grace_seconds`: how long an unready member stays in
    the tree.
    """

    kubeconfig: str = ""
    context: str = ""
    namespaces: Collection[str] = ()
    lease_namespace: str = ""
    image: str = ""
    vantage: str = ""
    reach_first: bool = True
    dial_from_nodes: bool = False
    host: str = ""
    port: int = 8080
    parallel: int = 16
    grace_seconds: float = 60.0
    identity: str = field(default_factory=lambda: f"{socket.gethostname()}_{uuid.uuid4()}")


class Operator:
    """One process of the operator."""

    def __init__(self, settings: OperatorSettings) -> None:
        self._settings = settings
        self._numbers = Numbers()
        self._stopping = asyncio.Event()
        self._kopf_stop = asyncio.Event()
        self._leadership: Leadership | None = None
        self._watches: Watches | None = None

    async def run(self) -> None:
        """Run until told to stop.

        Raises:
            KubeConfigError: there is no way to a cluster.
            ExceptionGroup: with LeadershipLostError, where the Lease was lost.
            OSError: the port of health and metrics is taken.
        """
        settings = self._settings
        connection = await load_connection(settings.kubeconfig, settings.context)
        server = MetricsServer(settings.host, settings.port, self._sources())
        await server.start()
        _log.info("health and metrics are served on port %d", server.port)
        self._catch_signals()
        try:
            # Renewals never wait behind other requests.
            lease_client = KubeClient(connection, timeout_seconds=5.0, parallel=2)
            with in_pieces():
                async with lease_client:
                    await self._lead(connection, lease_client)
        finally:
            await server.stop()

    async def _lead(self, connection: Connection, lease_client: KubeClient) -> None:
        settings = self._settings
        namespace = settings.lease_namespace or connection.namespace
        leadership = Leadership(lease_client, namespace, settings.identity)
        self._leadership = leadership
        if not await unless(self._stopping, leadership.acquire()):
            await leadership.release()
            return
        _log.info("this process leads: %s", settings.identity)
        async with (
            KubeClient(
                connection, parallel=settings.parallel, may_write=lambda: leadership.leads
            ) as client,
            asyncio.TaskGroup() as group,
        ):
            renewing = group.create_task(leadership.keep(), name="lease")
            sweeping = group.create_task(sweep_on(), name="sweep")
            await self._watch(client, namespace, group, renewing)
            renewing.cancel()
            sweeping.cancel()
        await leadership.release()

    async def _watch(
        self,
        client: KubeClient,
        lease_namespace: str,
        group: asyncio.TaskGroup,
        renewing: asyncio.Task[None],
    ) -> None:
        settings = self._settings
        watches = Watches(
            client,
            kubeconfig=settings.kubeconfig,
            context=settings.context,
            namespaces=settings.namespaces,
            lease=(lease_namespace, LEASE_NAME),
            clock=time.monotonic,
        )
        around = Surroundings(
            client=client,
            snapshot=watches.snapshot,
            slots=Slots(settings.parallel),
            numbers=self._numbers,
            image=settings.image,
            vantage=settings.vantage,
            reach_first=settings.reach_first,
            dial_from_nodes=settings.dial_from_nodes,
            grace_seconds=settings.grace_seconds,
            now=time.time,
        )
        fleets = Fleets(around, group)
        self._watches = watches
        ending = group.create_task(self._end(fleets, renewing), name="end")
        try:
            # Kopf takes the signals for itself whenever it starts; they are ours again after.
            await watches.run(fleets, self._kopf_stop, self._catch_signals)
        finally:
            ending.cancel()
            self._watches = None

    async def _end(self, fleets: Fleets, renewing: asyncio.Task[None]) -> None:
        """When told to stop, end the fleets' tasks before what they stand on.

        The Lease goes as soon as nothing is written any more: Kopf takes its time to stop.
        """
        await self._stopping.wait()
        _log.info("stopping")
        await fleets.stop()
        renewing.cancel()
        await asyncio.wait([renewing])  # else its last renewal may come after the release
        if self._leadership is not None:
            await self._leadership.release()
        self._kopf_stop.set()

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)

    # ── health ──

    def _sources(self) -> Sources:
        return Sources(
            self._families, self._is_healthy, lambda: (), sick="the watches bring nothing any more"
        )

    def _families(self) -> Iterable[Family]:
        leads = self._leadership is not None and self._leadership.leads
        unseen = self._watches.unseen if self._watches is not None else {}
        numbers = self._numbers.families(leads=leads, silent_seconds=self._silence, unseen=unseen)
        return [*process_families(), *numbers]

    @property
    def _silence(self) -> float:
        return self._watches.silent_seconds if self._watches is not None else 0.0

    def _is_healthy(self) -> bool:
        return self._silence < _SILENCE_SECONDS
