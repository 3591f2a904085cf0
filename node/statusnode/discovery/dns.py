"""Node lists in the DNS: reads and verifies whole EIP-1459 trees, and the trees they link to.

A tree is taken from its root: the root's signature is held against the key of the URL, its number
against what was seen before, each entry against its hash. What fails is named and left out; the
rest is still good, since each entry proves itself. Reading stops at fixed bounds, whatever a tree
contains, and a tree is read once, whoever links to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from statusnode.discovery.resolver import ResolutionError, TextResolver
from statusnode.discovery.sequences import SequenceMemory
from statusnode.records.enr import Record
from statusnode.records.entries import ROOT_PREFIX
from statusnode.records.tree import Link, Root, TreeError, is_entry
from statusnode.records.walk import MAX_ENTRIES, Problem, Walk, Wanted


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """How much is read, and how fast: look-ups under way at once, entries a tree, trees in all."""

    concurrency: int = 16
    max_entries: int = MAX_ENTRIES
    max_trees: int = 64


@dataclass(frozen=True, slots=True)
class ReadTree:
    """One tree as it was found; `problems` is empty where every entry was there and right.

    `entries` is how many entries were read, the root not counted.
    """

    link: Link
    root: Root
    nodes: tuple[Record, ...]
    links: tuple[Link, ...]
    entries: int
    problems: tuple[Problem, ...] = ()
    warning: str | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing was missing or wrong."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class UnreadTree:
    """A tree of which not even the root could be had, and why."""

    link: Link
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A tree and all it links to, the first one first."""

    trees: tuple[ReadTree, ...]
    unread: tuple[UnreadTree, ...]

    @property
    def complete(self) -> bool:
        """Whether every tree was read, and nothing was missing or wrong in any."""
        return not self.unread and all(tree.complete for tree in self.trees)

    def nodes(self) -> list[Record]:
        """Every node once, by its newest record, in the order of node ids."""
        return newest(record for tree in self.trees for record in tree.nodes)

    def complaints(self) -> Iterator[str]:
        """Say in a sentence each what is missing or wrong."""
        for unread in self.unread:
            yield unread.reason
        for tree in self.trees:
            for problem in tree.problems:
                name = f"{problem.label}.{tree.link.domain}" if problem.label else tree.link.domain
                yield f"{name}: {problem.reason}"


class TreeReader:
    """Reads trees over a resolver; the memory outlives a reading and belongs to the caller."""

    def __init__(
        self,
        resolver: TextResolver,
        memory: SequenceMemory | None = None,
        limits: ReaderLimits | None = None,
    ) -> None:
        self._resolver = resolver
        self._memory = memory or SequenceMemory()
        self._limits = limits or ReaderLimits()

    async def read(self, url: str) -> ReadTree:
        """Read one tree completely, without the trees it links to.

        Raises:
            TreeError: the URL is none, or the root is missing, malformed, signed by another key,
                or older than one seen before (`StaleTreeError`).
        """
        link = Link.parse(url)
        root = await self._root(link)
        warning = self._memory.check(link, root)
        walk = Walk(root, self._limits.max_entries)
        while wanted := walk.take_wanted():
            rest = iter(wanted)
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._limits.concurrency, len(wanted))):
                    group.create_task(self._fetch(rest, walk, link.domain))
        return ReadTree(
            link=link,
            root=root,
            nodes=tuple(newest(walk.nodes)),
            links=tuple(walk.links),
            entries=len(walk.entries),
            problems=tuple(walk.problems),
            warning=warning,
        )

    async def read_all(self, url: str) -> Reading:
        """Read a tree and every tree that can be reached over links, each once.

        Raises:
            TreeError: as `read`, for the first tree; a linked one that fails is reported instead.
        """
        first = await self.read(url)
        trees, unread = [first], []
        seen = {first.link}
        waiting = list(first.links)
        while waiting:
            link = waiting.pop(0)
            if link in seen:
                continue
            if len(seen) == self._limits.max_trees:
                enough = f"{link.domain} is not read: {self._limits.max_trees} trees are enough"
                unread.append(UnreadTree(link, enough))
                break
            seen.add(link)
            try:
                tree = await self.read(str(link))
            except TreeError as error:
                unread.append(UnreadTree(link, str(error)))
                continue
            trees.append(tree)
            waiting += tree.links
        return Reading(tuple(trees), tuple(unread))

    async def _root(self, link: Link) -> Root:
        try:
            texts = await self._resolver.texts(link.domain)
        except ResolutionError as error:
            raise TreeError(f"no root at {link.domain}: {error}") from error
        # Other TXT records may stand at the same name.
        text = next((text for text in texts if text.startswith(ROOT_PREFIX)), None)
        if text is None:
            raise TreeError(f"no root at {link.domain}: its TXT records are of other kinds")
        try:
            root = Root.parse(text)
        except TreeError as error:
            raise TreeError(f"the root at {link.domain} is malformed: {error}") from error
        if not root.is_signed_by(link.public_key):
            raise TreeError(f"the root at {link.domain} is not signed by the key of the URL")
        return root

    async def _fetch(self, rest: Iterator[Wanted], walk: Walk, domain: str) -> None:
        """Look up what is left of a batch; several of these share one iterator."""
        for wanted in rest:
            try:
                texts = await self._resolver.texts(f"{wanted.label}.{domain}")
            except ResolutionError as error:
                walk.fail(wanted, str(error))
                continue
            text = next(filter(is_entry, texts), None)
            if text is None:
                walk.fail(wanted, "its TXT records are no entries of a tree")
            else:
                walk.receive(wanted, text)


def newest(records: Iterator[Record] | list[Record]) -> list[Record]:
    """Keep the record with the highest number of each node, in the order of node ids."""
    best: dict[bytes, Record] = {}
    for record in records:
        known = best.get(record.node_id)
        if known is None or record.seq > known.seq:
            best[record.node_id] = record
    return [best[node_id] for node_id in sorted(best)]
