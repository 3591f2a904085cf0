"""What is left of a fleet's memory when objects of it are gone, to be filled up from elsewhere.

Every text of a memory is known by its label, the hash of the text, and the tree by its signed root.
So it makes no difference who gives a text that is missing: it is the right one, or it is not taken.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from statusfleet.store.errors import CorruptStateError
from statusfleet.store.head import Head, state_of
from statusfleet.store.state import Shown, State
from statusfleet.store.texts import Texts
from statusnode.records.tree import Link, Root, TreeError, label_of
from statusnode.records.walk import Walk


@dataclass(frozen=True, slots=True)
class Remains:
    """A head, the texts that were found for it, and which sinks may show the tree."""

    head: Head
    texts: Texts
    shown: Shown

    @property
    def domain(self) -> str:
        """Where the tree stands, "" where there was none."""
        try:
            return Link.parse(self.head.url).domain
        except TreeError:
            return ""

    @property
    def lost_records(self) -> tuple[str, ...]:
        """The members whose last record is lost."""
        return tuple(m for m, label in self.head.records.items() if label not in self.texts)

    @property
    def lost_retired(self) -> frozenset[str]:
        """The labels of lost entries that only an earlier tree names."""
        return frozenset(self.head.retired.keys() - self.texts.keys())

    @property
    def lost_of_tree(self) -> frozenset[str]:
        """The labels of lost entries of the tree; what a lost branch leads to shows with it."""
        try:
            walk = Walk(Root.parse(self.head.root))
        except TreeError:
            return frozenset()  # there was no tree, or `state` says what is wrong
        lost = set()
        while batch := walk.take_wanted():
            for wanted in batch:
                text = self.texts.get(wanted.label)
                if text is None:
                    lost.add(wanted.label)
                    walk.fail(wanted, "lost")
                else:
                    walk.receive(wanted, text)
        return frozenset(lost)

    @property
    def lost_shown(self) -> frozenset[str]:
        """The labels of lost texts that sinks show: the tree's and, when it is whole, the others.

        A server that has lost touch refuses to answer for names that it does not know, and no sink
        knows a record that is in no tree: so such labels are not among them.
        """
        return self.lost_of_tree or self.lost_retired

    def with_texts(self, offered: Iterable[str]) -> Remains:
        """Take texts from wherever they come."""
        return replace(self, texts={**{label_of(text): text for text in offered}, **self.texts})

    def state(self, source: str, renewed: Mapping[str, str]) -> State:
        """Return the state without what is lost; a tree of which anything is lost is no tree.

        `renewed` are records in the place of members' lost ones. Numbers are those of the head.

        Raises:
            CorruptStateError: what is left does not hold together.
        """
        texts = {**self.texts, **{label_of(text): text for text in renewed.values()}}
        records = {m: label for m, label in self.head.records.items() if label in texts}
        records |= {member: label_of(text) for member, text in renewed.items()}
        whole = not self.lost_of_tree
        retired = {label: until for label, until in self.head.retired.items() if label in texts}
        head = replace(
            self.head,
            records=records,
            retired=retired if whole else {},
            url=self.head.url if whole else "",
            root=self.head.root if whole else "",
        )
        return state_of(head, texts, source)


class LostTextsError(CorruptStateError):
    """Objects with parts of the state are gone; `remains` is what is left."""

    def __init__(self, source: str, remains: Remains) -> None:
        super().__init__(f"{source} names a shard that is not there")
        self.remains = remains
