"""A pretended DNS for tests of what is brought to sinks, in which order, and what fails alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from statusfleet.plan import DesiredTree
from statusfleet.publishers.sink import ForeignTreeError, RootMovedError, SeenTree, Target
from statusfleet.tree.publication import AddEntries, RemoveEntries
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record
from statusnode.records.tree import Link, SignedTree, Tree
from support.records import DOMAIN, TREE_KEY, vector_node

DESIRED = DesiredTree(
    domain=DOMAIN,
    candidates=(),
    links=(),
    root_ttl_seconds=60,
    entries_ttl_seconds=3600,
    soa_minimum_seconds=60,
    name_servers=("localhost",),
    mailbox="hostmaster.example.org",
    sinks=("a", "b"),
)


def records(nodes: range) -> list[Record]:
    return [vector_node(number) for number in nodes]


def signed(nodes: range, seq: int, key: PrivateKey = TREE_KEY) -> SignedTree:
    return Tree.build(records(nodes)).sign(key, DOMAIN, seq)


URL = signed(range(1), 1).url


@dataclass
class FakeSink:
    """A DNS in a dictionary; `refuses` says at which call it fails, and how."""

    name: str
    log: list[str]
    texts: dict[str, str] = field(default_factory=dict)
    refuses: dict[str, Exception] = field(default_factory=dict)
    written: int = 0
    seen_touched: bool = False
    foreign: bool = False
    url: str = URL

    @property
    def _domain(self) -> str:
        return Link.parse(self.url).domain

    def _called(self, call: str) -> None:
        if call in self.refuses:
            raise self.refuses[call]
        self.log.append(f"{self.name} {call}")

    def _changed(self) -> None:
        self.written += 1
        if self._domain in self.texts and self.name != "foreign":
            # At no moment is there a root of which anything is missing.
            SignedTree.parse(self.url, self.texts)

    def touched(self) -> bool:
        return self.seen_touched

    async def root(self, domain: str) -> str | None:
        self._called("root")
        return self.texts.get(domain)

    async def entries(self, domain: str, labels: Collection[str]) -> Collection[str]:
        self._called("entries")
        return [self.texts[f"{one}.{domain}"] for one in labels if f"{one}.{domain}" in self.texts]

    async def prepare(self, target: Target) -> None:
        self._called("prepare")
        for step in target.steps(self.texts):
            if isinstance(step, AddEntries):
                self.texts.update(step.records)
                self._changed()

    async def move(self, target: Target, old: str | None) -> None:
        self._called("move")
        if self.texts.get(self._domain) not in (old, target.root):
            raise RootMovedError("another writer has moved the root")
        if self.texts.get(self._domain) != target.root:
            self.texts[self._domain] = target.root
            self._changed()

    async def tidy(self, target: Target) -> None:
        self._called("tidy")
        for step in target.steps(self.texts):
            if isinstance(step, RemoveEntries):
                for name in step.names:
                    del self.texts[name]
                self._changed()

    async def read_back(self, url: str) -> tuple[SeenTree, ...]:
        self._called("read_back")
        tree = SignedTree.parse(url, self.texts)
        return (SeenTree(tree.seq, tree.tree.nodes, (), self.name),)

    async def withdraw(self, target: Target) -> None:
        self._called("withdraw")
        if self.foreign:
            raise ForeignTreeError(self._domain)
        for name in (self._domain, *target.owned):
            self.texts.pop(name, None)

    async def close(self) -> None:
        self._called("close")
