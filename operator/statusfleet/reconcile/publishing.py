"""The tree of a fleet, from decision to proof: signed, remembered, served, read back.

In this order, and each step only after the one before: a number is on disk before anybody sees it,
so no crash makes two trees share one; the root moves after its entries, because the sink replaces
its zone as a whole; and what is served counts as propagated only when it was read back through DNS
and verified like a stranger would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Protocol

from statusfleet.plan import DesiredTree
from statusfleet.reconcile.conditions import TreeState
from statusfleet.store import Store
from statusfleet.store import TreeState as Remembered
from statusfleet.tree.publication import Publication
from statusfleet.tree.sequence import next_sequence
from statusfleet.tree.zone import Zone, ZoneSettings
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record
from statusnode.records.tree import Link, Tree, TreeError

_READ_BACK_SECONDS: Final = 10.0


class Sink(Protocol):
    """Where a zone is served."""

    async def serve(self, zone: Zone) -> None:
        """Serve `zone` in the place of what was served before.

        Raises:
            SinkError: it cannot be served; the message says why.
        """
        ...

    async def read_back(self, url: str) -> SeenTree:
        """Read the tree at `url` through DNS, whole, and verify it.

        Raises:
            TreeError: it cannot be read.
        """
        ...


class SinkError(Exception):
    """A sink that does not take a tree."""


@dataclass(frozen=True, slots=True)
class SeenTree:
    """What a reader found: the number of the root, the records, and what was missing or wrong."""

    seq: int
    nodes: tuple[Record, ...]
    complaints: tuple[str, ...]


class TreeKeeper:
    """Keeps one fleet's tree published."""

    def __init__(self, store: Store, sink: Sink, now: Callable[[], float]) -> None:
        self._store = store
        self._sink = sink
        self._now = now
        self._publication: Publication | None = None
        self._serving: Publication | None = None
        self._served: Zone | None = None
        self._proved: Zone | None = None

    @property
    def publication(self) -> Publication | None:
        """What is published now; None before the first tree, and before `recall`."""
        return self._publication

    async def recall(self) -> None:
        """Take up what was published last, by this process or by one before it.

        Raises:
            StoreError: the memory cannot be read.
        """
        if self._publication is None:
            self._publication = (await self._store.read()).tree.publication

    @property
    def serving(self) -> Publication | None:
        """What the sink serves since this process began; behind `publication` while it fails."""
        return self._serving

    async def publish(
        self, desired: DesiredTree, records: Sequence[Record] | None, key: PrivateKey
    ) -> TreeState:
        """Publish a tree of `records`, if it is another than the present one, and prove it.

        None instead of records keeps the tree as it is. Before there ever was a record, there is
        no tree.

        Raises:
            StoreError: the memory cannot be written; nothing has changed then.
        """
        link = Link(key.public_key, desired.domain)
        state = TreeState(url=str(link))
        if records or (records is not None and self._publication is not None):
            try:
                await self._move(desired, records, link, key)
            except TreeError as error:
                return replace(state, problem=str(error), refused=True)
        if self._publication is None or self._publication.tree.link != link:
            return state
        return await self._serve(desired, self._publication, state)

    async def _move(
        self, desired: DesiredTree, records: Sequence[Record], link: Link, key: PrivateKey
    ) -> None:
        tree = Tree.build(records, [Link.parse(text) for text in desired.links])
        memory = await self._store.read()
        before, now = self._publication, self._now()
        seq = next_sequence(
            tree,
            str(link),
            published=before.tree if before else None,
            highest_seen=memory.tree.seq,
        )
        if before is None:
            after = Publication(tree.sign(key, desired.domain, seq))
        elif seq == before.tree.seq:
            after = before.pruned(now=now)
        else:
            signed = tree.sign(key, desired.domain, seq)
            ttl = desired.root_ttl_seconds
            after = before.pruned(now=now).replaced_by(signed, now=now, root_ttl_seconds=ttl)
        if after is not before:
            await self._store.write(replace(memory, tree=Remembered(seq, after)))
        self._publication = after

    async def _serve(
        self, desired: DesiredTree, publication: Publication, state: TreeState
    ) -> TreeState:
        state = replace(state, seq=publication.tree.seq)
        zone = Zone.of(publication, zone_settings(desired))
        if zone != self._served:
            try:
                await self._sink.serve(zone)
            except SinkError as error:
                return replace(state, problem=str(error))
            self._served, self._serving = zone, publication
        state = replace(state, published=True)
        if zone == self._proved:
            return replace(state, propagated=True)
        problem = await self._prove(publication)
        if not problem:
            self._proved = zone
        return replace(state, propagated=not problem, problem=problem)

    async def _prove(self, publication: Publication) -> str:
        """Read the tree back; return what is wrong with it, or nothing."""
        seen: SeenTree | None = None
        reason = f"no whole tree within {_READ_BACK_SECONDS:g} s"
        with suppress(TimeoutError):
            try:
                async with asyncio.timeout(_READ_BACK_SECONDS):
                    seen = await self._sink.read_back(publication.tree.url)
            except TreeError as error:
                reason = str(error)
        if seen is None:
            return reason
        if seen.complaints:
            return "; ".join(seen.complaints[:3])
        if seen.seq != publication.tree.seq:
            return f"DNS gives number {seen.seq}, published was {publication.tree.seq}"
        if {str(node) for node in seen.nodes} != {str(n) for n in publication.tree.tree.nodes}:
            return "DNS gives other records than were published"
        return ""


def listed(
    publication: Publication | None, records: Mapping[str, Record | None]
) -> dict[str, Record]:
    """Return by name those of `records` whose node is in a tree, with the record that it holds."""
    if publication is None:
        return {}
    nodes = {record.node_id: record for record in publication.tree.tree.nodes}
    return {
        name: nodes[record.node_id]
        for name, record in records.items()
        if record is not None and record.node_id in nodes
    }


def zone_settings(desired: DesiredTree) -> ZoneSettings:
    """Return what the zone of a tree says besides its entries."""
    return ZoneSettings(
        domain=desired.domain,
        nameservers=desired.name_servers,
        mail=desired.mailbox,
        minimum_seconds=desired.soa_minimum_seconds,
        root_ttl_seconds=desired.root_ttl_seconds,
        entry_ttl_seconds=desired.entries_ttl_seconds,
    )
