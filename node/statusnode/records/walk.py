"""Walking a tree entry by entry, whatever brings the entries: the DNS, a file, a test.

A walk begins at a root whose signature was checked, asks for labels, and is given texts. It holds
each text against its hash and its place (records below `e`, links below `l`: EIP-1459, "Client
Protocol"). An entry that fails is noted as a problem and the walk goes on, so that one broken leaf
does not hide the others. Cycles cannot hurt: no label is asked for twice in one subtree, and the
number of entries is bounded.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from statusnode.records.enr import Record
from statusnode.records.entries import Branch, Entry, Link, Root, TreeError, has_label, parse_entry

MAX_ENTRIES: Final = 250_000
MAX_PROBLEMS: Final = 100


class Subtree(enum.Enum):
    """The two subtrees below a root."""

    NODES = "e"
    LINKS = "l"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An entry that the walk needs next."""

    label: str
    subtree: Subtree


@dataclass(frozen=True, slots=True)
class Problem:
    """An entry that is missing or wrong; `label` is "" for a problem of the tree as a whole."""

    label: str
    reason: str


class Walk:
    """The state of one walk: what was found, and what is wanted next.

    Memory grows with the entries of the tree, of which `max_entries` are read.
    """

    def __init__(self, root: Root, max_entries: int = MAX_ENTRIES) -> None:
        self.root = root
        self.max_entries = max_entries
        self.entries: dict[str, str] = {}
        self.problems: list[Problem] = []
        self._found: dict[Wanted, Entry] = {}
        self._seen: set[Wanted] = set()
        self._wanted: list[Wanted] = []
        # Links first: they lead to other trees, whose reading can begin.
        self._want(Wanted(root.links, Subtree.LINKS))
        self._want(Wanted(root.nodes, Subtree.NODES))

    @property
    def nodes(self) -> list[Record]:
        """The node records found so far, in the order of the tree."""
        leaves = self._leaves(Wanted(self.root.nodes, Subtree.NODES))
        return [entry for entry in leaves if isinstance(entry, Record)]

    @property
    def links(self) -> list[Link]:
        """The links found so far, in the order of the tree."""
        leaves = self._leaves(Wanted(self.root.links, Subtree.LINKS))
        return [entry for entry in leaves if isinstance(entry, Link)]

    def take_wanted(self) -> Sequence[Wanted]:
        """Return everything that can be fetched now; empty when the walk is over.

        Each must be answered, by `receive` or by `fail`, before the next call.
        """
        wanted, self._wanted = self._wanted, []
        return wanted

    def receive(self, wanted: Wanted, text: str) -> None:
        """Take the text that stands at a label."""
        try:
            entry = _read(wanted, text)
        except TreeError as error:
            self.fail(wanted, str(error))
            return
        self.entries[wanted.label] = text
        self._found[wanted] = entry
        if isinstance(entry, Branch):
            for label in entry.children:
                self._want(Wanted(label, wanted.subtree))

    def fail(self, wanted: Wanted, reason: str) -> None:
        """Note that a label has no entry, or a wrong one."""
        self._note(Problem(wanted.label, reason))

    def _want(self, wanted: Wanted) -> None:
        if wanted in self._seen:
            return
        if len(self._seen) >= self.max_entries:
            self._note(Problem("", f"the tree has more than {self.max_entries} entries"))
            return
        self._seen.add(wanted)
        self._wanted.append(wanted)

    def _note(self, problem: Problem) -> None:
        if len(self.problems) < MAX_PROBLEMS and problem not in self.problems:
            self.problems.append(problem)

    def _leaves(self, top: Wanted) -> Iterator[Entry]:
        """Yield what the branches below `top` lead to, each once, from left to right."""
        stack, seen = [top], {top}
        while stack:
            entry = self._found.get(stack.pop())
            if not isinstance(entry, Branch):
                if entry is not None:
                    yield entry
                continue
            for label in reversed(entry.children):
                child = Wanted(label, top.subtree)
                if child not in seen:
                    seen.add(child)
                    stack.append(child)


def _read(wanted: Wanted, text: str) -> Entry:
    """Parse an entry and hold it against its hash and its place.

    Raises:
        TreeError: it does not belong there.
    """
    if not has_label(text, wanted.label):
        raise TreeError("the entry is not the one that the label is the hash of")
    entry = parse_entry(text)
    if isinstance(entry, Record) and wanted.subtree is not Subtree.NODES:
        raise TreeError("a node record among the links")
    if isinstance(entry, Link) and wanted.subtree is not Subtree.LINKS:
        raise TreeError("a link among the node records")
    return entry
