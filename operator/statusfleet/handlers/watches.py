"""What is watched: every kind of object that fleets have, into indices of small frozen records.

Only what bears a fleet's label is asked for, so that a cluster's other Pods and Secrets never come
here; nodes are asked for as they are. An event says nothing but that a fleet should be looked at
again: what is there is read from the indices, which are complete before the first event is told.

That watches progress is seen from the Lease, which its holder renews every two seconds: as long as
those renewals come in, so would everything else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, Protocol, TypeVar, cast

import kopf

from statusfleet.kube.connection import load_connection
from statusfleet.kube.kinds import (
    LEASE,
    NODE,
    POD,
    SERVICE,
    STATEFUL_SET,
    STATUS_FLEET,
    Body,
    JsonDict,
    Kind,
)
from statusfleet.kube.names import FLEET_LABEL, MANAGED_BY
from statusfleet.worlds.kubernetes.records import (
    RECORDS,
    Child,
    NodeRecord,
    PodRecord,
    ServiceRecord,
    Snapshot,
    StatefulSetRecord,
    fleet_of,
)

FleetId = tuple[str, str]
"""Namespace and name of a fleet."""
_PAGE: Final = 500
_REQUEST_SECONDS: Final = 60.0
_OWN_SHAPE: Final = {POD, SERVICE, STATEFUL_SET, NODE}
_R = TypeVar("_R")


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
        *,
        kubeconfig: str,
        context: str,
        namespaces: Collection[str],
        lease: str,
        clock: Callable[[], float],
    ) -> None:
        """Take where the cluster is, and what to watch ((): all namespaces).

        `lease` is the name of the Lease whose renewals prove progress. `clock` gives seconds.
        """
        self._kubeconfig = kubeconfig
        self._context = context
        self._namespaces = tuple(namespaces)
        self._lease = lease
        self._clock = clock
        self._indices: Mapping[str, Any] = {}
        self._nodes: dict[str, NodeRecord] = {}
        self._progress = clock()

    @property
    def silent_seconds(self) -> float:
        """For how long nothing has come in; a renewed Lease should, every two seconds."""
        return self._clock() - self._progress

    async def run(
        self, listener: Listener, stop: asyncio.Event, started: Callable[[], None]
    ) -> None:
        """Watch for `listener` until `stop` is set; `started` is called when Kopf is set up."""
        registry = kopf.OperatorRegistry()
        self._register(registry, listener)

        @kopf.on.startup(registry=registry)
        async def start(**indices: object) -> None:
            self._indices = {kind.plural: indices[kind.plural] for kind in RECORDS}
            self._progress = self._clock()

        others = asyncio.all_tasks()
        tasks = await kopf.spawn_tasks(
            registry=registry,
            settings=self._settings(),
            standalone=True,
            # Made of the user's name otherwise, and the user of a container may have none.
            identity=cast("Any", MANAGED_BY),
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            stop_flag=stop,
        )
        started()
        await kopf.run_tasks(tasks, ignored=others)

    def snapshot(self, fleet: FleetId) -> Snapshot:
        """Return all records of one fleet as they are now."""
        children = {
            child.key: child
            for kind in RECORDS
            if kind not in _OWN_SHAPE
            for child in self._of(kind, fleet, Child)
        }
        return Snapshot(
            pods={record.name: record for record in self._of(POD, fleet, PodRecord)},
            services={r.child.name: r for r in self._of(SERVICE, fleet, ServiceRecord)},
            stateful_sets={
                r.child.name: r for r in self._of(STATEFUL_SET, fleet, StatefulSetRecord)
            },
            children=children,
            nodes=self._nodes,
        )

    def _of(self, kind: Kind, fleet: FleetId, shape: type[_R]) -> Iterable[_R]:
        index = self._indices[kind.plural]
        return cast("Iterable[_R]", index.get(fleet, ()))

    def _settings(self) -> kopf.OperatorSettings:
        settings = kopf.OperatorSettings()
        settings.posting.enabled = False
        settings.scanning.disabled = True  # asks for no right to see all of the cluster's CRDs
        settings.process.ultimate_exiting_timeout = None
        settings.networking.request_timeout = _REQUEST_SECONDS
        settings.watching.chunk_size = _PAGE
        for kind in RECORDS:
            if kind is not NODE:
                settings.watching.label_selectors[kind.api_version, kind.plural] = FLEET_LABEL
        settings.watching.field_selectors[LEASE.api_version, LEASE.plural] = (
            f"metadata.name={self._lease}"
        )
        return settings

    def _register(self, registry: kopf.OperatorRegistry, listener: Listener) -> None:
        @kopf.on.login(registry=registry)
        async def login(**_: object) -> kopf.ConnectionInfo:
            return await _credentials(self._kubeconfig, self._context)

        for kind in RECORDS:
            self._watch(kind, registry, listener)

        @kopf.on.event(STATUS_FLEET.api_version, STATUS_FLEET.plural, registry=registry)
        async def fleet(event: Mapping[str, Any], **_: object) -> None:
            body = dict(event["object"])
            if event["type"] == "DELETED":
                await listener.fleet_gone(body)
            else:
                await listener.fleet_seen(body)

        @kopf.on.event(LEASE.api_version, LEASE.plural, registry=registry)
        async def renewed(**_: object) -> None:
            self._progress = self._clock()

    def _watch(self, kind: Kind, registry: kopf.OperatorRegistry, listener: Listener) -> None:
        record_of, named = RECORDS[kind], (kind.api_version, kind.plural)

        @kopf.index(*named, id=kind.plural, registry=registry)
        async def index(body: Body, **_: object) -> dict[Any, Any]:
            record = record_of(dict(body))
            if isinstance(record, NodeRecord):
                return {record.name: record}
            return {fleet_of(body): record}

        if kind is NODE:
            self._watch_nodes(registry, listener)
            return

        @kopf.on.event(*named, registry=registry)
        async def changed(body: Body, **_: object) -> None:
            listener.wake(fleet_of(body))

    def _watch_nodes(self, registry: kopf.OperatorRegistry, listener: Listener) -> None:
        @kopf.on.event(NODE.api_version, NODE.plural, registry=registry)
        async def node(**_: object) -> None:
            """Tell of a change that matters: a node's status is written all the time."""
            index = self._indices[NODE.plural]
            nodes = {name: next(iter(index[name])) for name in index}
            if nodes != self._nodes:
                self._nodes = nodes
                listener.wake_all()


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
