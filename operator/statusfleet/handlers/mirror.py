"""The objects of fleets as small frozen records, kept as the cluster tells of them.

A body becomes a record as soon as it is read, and is let go; of kinds whose metadata says all that
matters nothing else is sent, so no Secret's content ever comes here.

Why not Kopf's indices: at its start Kopf keeps a task and the body of every object until all kinds
are listed, wakes all of these tasks at each step, and remembers kilobytes of each object for ever.
A fleet of ten members has about sixty objects: with a hundred fleets that was a start of minutes.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Collection
from typing import Any, Final

from statusfleet.handlers.following import Following
from statusfleet.handlers.sight import Sight
from statusfleet.kube.client import KubeClient
from statusfleet.kube.kinds import (
    DNS_ENDPOINT,
    NODE,
    POD,
    SERVICE,
    STATEFUL_SET,
    JsonDict,
    Kind,
)
from statusfleet.kube.names import FLEET_LABEL
from statusfleet.kube.reading import SILENCE_SECONDS
from statusfleet.worlds.kubernetes.records import (
    RECORDS,
    Child,
    NodeRecord,
    Record,
    Snapshot,
    fleet_of,
)

FleetId = tuple[str, str]
"""Namespace and name of a fleet."""
Place = tuple[FleetId, str]
"""Where a record is kept: fleet, and the object's name."""
_WHOLE: Final = frozenset({NODE, POD, SERVICE})
"""Kinds whose record is made of more than metadata."""
_OPTIONAL: Final = frozenset({DNS_ENDPOINT})
"""Kinds that are installed by others, or are not, before the operator starts or while it runs."""
_LISTS: Final = 2
"""Kinds that are listed at a time: one is being sent while another is read."""
BETWEEN_WORDS_SECONDS: Final = SILENCE_SECONDS
"""How long the server may say nothing to a watch that asks for bookmarks: then it is asked anew."""


class Mirror:
    """All records, and the watches that keep them."""

    def __init__(
        self,
        client: KubeClient,
        namespaces: Collection[str],
        *,
        changed: Callable[[FleetId], None],
        all_changed: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        """Take what to watch ((): all namespaces), and whom to tell of changes.

        Nobody is told of what is there at the beginning. `all_changed` is called when a node has
        changed, which concerns every fleet. `clock` gives seconds.
        """
        self._client = client
        self._clock = clock
        self._listing = asyncio.Semaphore(_LISTS)
        self.sights = {one: Sight(one) for one in tuple(namespaces) or ("",)}
        """What is seen of each namespace, "" for all; complete once it is whole."""
        self._nodes = _Nodes(all_changed)
        self._kinds = [
            _Records(kind, namespace, changed)
            for kind in RECORDS
            if kind is not NODE
            for namespace in self.sights
        ]
        kept: tuple[_Nodes | _Records, ...] = (self._nodes, *self._kinds)
        self._following = [self._follow(one) for one in kept]

    def _follow(self, kept: _Nodes | _Records) -> Following:
        """Have all of one kind and place followed, by everybody's sight whom it concerns."""
        of_all = kept is self._nodes
        sights = list(self.sights.values()) if of_all else [self.sights[kept.namespace]]

        def turned() -> None:
            for sight in sights:
                sight.turn()

        following = Following(
            self._client,
            kept.kind,
            kept.namespace,
            kept,
            label="" if of_all else FLEET_LABEL,
            metadata_only=kept.kind not in _WHOLE,
            listing=self._listing,
            clock=self._clock,
            turned=turned,
            optional=kept.kind in _OPTIONAL,
        )
        for sight in sights:
            sight.add(following)
        return following

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            for one in self._following:
                group.create_task(one.run())

    def snapshot(self, fleet: FleetId) -> Snapshot:
        """Return all records of one fleet as they are now."""
        own_shape: dict[Kind, dict[str, Any]] = {POD: {}, SERVICE: {}, STATEFUL_SET: {}}
        children: dict[tuple[str, str], Child] = {}
        for kept in self._kinds:
            records = kept.of(fleet)
            if kept.kind in own_shape:
                own_shape[kept.kind].update(records)
            else:
                children.update((r.key, r) for r in records.values() if isinstance(r, Child))
        return Snapshot(
            pods=own_shape[POD],
            services=own_shape[SERVICE],
            stateful_sets=own_shape[STATEFUL_SET],
            children=children,
            nodes=self._nodes.nodes,
        )


class _Nodes:
    """The cluster's nodes."""

    kind, namespace = NODE, ""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.nodes: dict[str, NodeRecord] = {}
        """By name; replaced by another dictionary where something changes that matters."""
        self._listed = False
        self._changed = changed
        self._missing: set[str] = set()

    def begin(self) -> None:
        self._missing = set(self.nodes)

    def seen(self, body: JsonDict, *, changed: bool) -> None:
        record = RECORDS[NODE](body)
        assert isinstance(record, NodeRecord)  # noqa: S101 - so says the table
        self._missing.discard(record.name)
        # A node's status is written all the time.
        if self.nodes.get(record.name) != record:
            self._replace({**self.nodes, record.name: record})

    def gone(self, body: JsonDict) -> None:
        self._forget({body["metadata"]["name"]})

    def complete(self) -> None:
        self._forget(self._missing)
        self._missing = set()
        self._listed = True

    def _forget(self, names: set[str]) -> None:
        left = {name: node for name, node in self.nodes.items() if name not in names}
        if len(left) < len(self.nodes):
            self._replace(left)

    def _replace(self, nodes: dict[str, NodeRecord]) -> None:
        self.nodes = nodes
        if self._listed:
            self._changed()


class _Records:
    """The records of one kind in one namespace, "" for all, by fleet and name."""

    def __init__(
        self,
        kind: Kind,
        namespace: str,
        changed: Callable[[FleetId], None],
    ) -> None:
        self.kind = kind
        self.namespace = namespace
        self._listed = False
        self._changed = changed
        self._record_of = RECORDS[kind]
        self._fleets: dict[FleetId, dict[str, Record]] = {}
        self._missing: set[Place] = set()

    def of(self, fleet: FleetId) -> dict[str, Record]:
        return self._fleets.get(fleet, {})

    def begin(self) -> None:
        self._missing = {(fleet, name) for fleet, known in self._fleets.items() for name in known}

    def seen(self, body: JsonDict, *, changed: bool) -> None:
        fleet, name = fleet_of(body), sys.intern(str(body["metadata"]["name"]))
        self._missing.discard((fleet, name))
        record = self._record_of(body)
        known = self._fleets.setdefault(fleet, {})
        before = known.get(name)
        if before == record:
            return
        if before is None and changed:  # which is rare: it bore the label of another fleet
            self._take_away(fleet, name)
        known[name] = record
        if self._listed:
            self._changed(fleet)

    def gone(self, body: JsonDict) -> None:
        self._drop((fleet_of(body), body["metadata"]["name"]))

    def complete(self) -> None:
        for place in self._missing:
            self._drop(place)
        self._missing = set()
        self._listed = True

    def _take_away(self, fleet: FleetId, name: str) -> None:
        """Take an object from the fleet whose label it bore before; looks at all of them."""
        others = [
            other
            for other, known in self._fleets.items()
            if name in known and other[0] == fleet[0] and other != fleet
        ]
        for other in others:
            self._drop((other, name))

    def _drop(self, place: Place) -> None:
        fleet, name = place
        known = self._fleets.get(fleet, {})
        if known.pop(name, None) is None:
            return
        if not known:
            del self._fleets[fleet]
        if self._listed:
            self._changed(fleet)
