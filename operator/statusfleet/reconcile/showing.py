"""How far a tree is, at each sink and as a whole, and who is missing in it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from statusfleet.publishers.sink import Progress


@dataclass(frozen=True, slots=True)
class SinkState:
    """How far one sink is, and the number of the root that it holds (0: none)."""

    name: str
    progress: Progress
    seq: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TreeState:
    """What became of the tree: what is served, and whether it was read back.

    `listed` are the members of whom it holds a record, and `superseded` those of them that have a
    newer one by now, such as with another address. `propagated` is None while nobody has read the
    present tree back through DNS, else whether that worked; `problem` says why something did not.
    `rivalry` tells of another operator with the same keys, where there is one.
    `signed` are the members in the tree that was signed last, `listed` those that every sink shows.
    """

    url: str = ""
    seq: int = 0
    signed: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()
    superseded: frozenset[str] = frozenset()
    published: bool = False
    propagated: bool | None = None
    problem: str = ""
    rivalry: str = ""
    refused: bool = False
    sinks: tuple[SinkState, ...] = ()

    @property
    def shown_by(self) -> tuple[str, ...]:
        """The names of the sinks that have the tree that was signed last."""
        return tuple(s.name for s in self.sinks if s.progress == "Published" and s.seq == self.seq)

    @property
    def lacked_by(self) -> tuple[str, ...]:
        """The names of the other sinks."""
        return tuple(s.name for s in self.sinks if s.name not in self.shown_by)

    @property
    def records(self) -> int:
        """How many of the members readers find, be it at one sink alone."""
        return len(self.signed if self.shown_by else self.listed)


def words_of_missing(tree: TreeState, unpublished: Sequence[str], most: int) -> str:
    """Say who is not in the tree, or not with the newest record, and where; "" for nobody.

    `unpublished` are those whom not every sink shows. Of each sort, so many are named at the most.
    """
    nowhere = [name for name in unpublished if name not in tree.signed]
    signed = [name for name in unpublished if name in tree.signed]
    some = tree.shown_by and tree.lacked_by
    where = f" at {', '.join(tree.lacked_by)}" if some else ""
    parts = [
        ("not in the tree yet", nowhere),
        (f"not in the tree{where} yet", signed),
        (f"in the tree{where} with an older record", sorted(tree.superseded)),
    ]
    said = [f"{what}: {', '.join(names[:most])}" for what, names in parts if names]
    if said and some:
        what = f"number {tree.seq} with {tree.records} record" + "s" * (tree.records != 1)
        said.append(f"{what} is served by {', '.join(tree.shown_by)}")
    return "; ".join(said)
