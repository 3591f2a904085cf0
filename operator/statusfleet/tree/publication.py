"""How a new tree replaces an old one without a reader ever meeting a missing entry.

A reader that holds an old root goes on asking for its entries: until the root's TTL and its own
recheck interval are over, and for as long as its walk takes. So entries that no root names any more
are *retired*, not removed: they stay for the longest of root TTL + 30 minutes, 2 hours, and a walk
at 3 look-ups a second (go-ethereum's rate). New entries come first, then the root moves, then what
is past its time goes. Entries are named by their hash and never change, so order is all that
matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias

# Not typing's own: pydantic, which checks states read from disk, wants this one before Python 3.12.
from typing_extensions import TypedDict

from statusnode.records.entries import BRANCH_PREFIX, Branch, Root
from statusnode.records.tree import SignedTree, TreeError, label_of

_RECHECK_SECONDS: Final = 30 * 60
_SHORTEST_RETENTION_SECONDS: Final = 2 * 60 * 60
_LOOKUPS_PER_SECOND: Final = 3
_SOON_SECONDS: Final = 5 * 60
"""A root that moves within this time after it was replaced was replaced in time."""
_AHEAD_SECONDS: Final = 30 * 60
"""How much longer than needed entries are kept whose root is late, since it may be later yet."""


class RetiredState(TypedDict):
    """A retired entry as it is kept on disk."""

    text: str
    until: float


class PublicationState(TypedDict):
    """A publication as it is kept on disk."""

    url: str
    records: dict[str, str]
    retired: list[RetiredState]


@dataclass(frozen=True, slots=True)
class Retired:
    """An entry that the present root does not name, and until when it stays (Unix seconds)."""

    text: str
    until: float


def retention_seconds(root_ttl_seconds: float, entries: int) -> float:
    """Return how long the entries of a tree of this many entries outlive it."""
    return max(
        root_ttl_seconds + _RECHECK_SECONDS,
        _SHORTEST_RETENTION_SECONDS,
        entries / _LOOKUPS_PER_SECOND,
    )


@dataclass(frozen=True, slots=True)
class Publication:
    """Everything that a sink serves: a tree, and what is left of earlier ones, by label."""

    tree: SignedTree
    retired: Mapping[str, Retired] = field(default_factory=lambda: MappingProxyType({}))

    def replaced_by(self, tree: SignedTree, *, now: float, root_ttl_seconds: float) -> Publication:
        """Put `tree` in the place of the present one and retire what it does not name.

        An entry that the new tree names again is no longer retired. At another domain nothing of
        the old tree can be served, so nothing is retired.
        """
        if tree.domain != self.tree.domain:
            return Publication(tree)
        old, new = self.tree.tree.entries, tree.tree.entries
        until = now + retention_seconds(root_ttl_seconds, len(old))
        retired = {label: entry for label, entry in self.retired.items() if label not in new}
        retired.update(
            (label, Retired(text, until)) for label, text in old.items() if label not in new
        )
        return Publication(tree, MappingProxyType(retired))

    def pruned(self, *, now: float) -> Publication:
        """Leave out the retired entries whose time is over."""
        retired = {label: entry for label, entry in self.retired.items() if entry.until > now}
        if len(retired) == len(self.retired):
            return self
        return Publication(self.tree, MappingProxyType(retired))

    def prolonged(
        self, roots: Iterable[str], *, now: float, root_ttl_seconds: float
    ) -> Publication:
        """Keep what these roots lead to as long as if they were replaced now, not long ago.

        For the roots that sinks hold which were away meanwhile: readers go on with them until then,
        and for their time after that.
        """
        held = {label for root in roots for label in self._led_to(root)} & self.retired.keys()
        until = now + retention_seconds(root_ttl_seconds, len(self.tree.tree.entries))
        if all(self.retired[label].until > until - _SOON_SECONDS for label in held):
            return self
        later = until + _AHEAD_SECONDS
        retired = {
            label: Retired(entry.text, max(entry.until, later)) if label in held else entry
            for label, entry in self.retired.items()
        }
        return Publication(self.tree, MappingProxyType(retired))

    def _led_to(self, root: str) -> set[str]:
        """Return the labels that a reader of a root asks for, as far as they are known here."""
        found: set[str] = set()
        if root == str(self.tree.root):
            return found  # nothing of it is retired
        parsed = Root.parse(root)
        wanted = [parsed.nodes, parsed.links]
        while wanted:
            label = wanted.pop()
            retired = self.retired.get(label)
            text = retired.text if retired is not None else self.tree.tree.entries.get(label)
            if text is None or label in found:
                continue
            found.add(label)
            if text.startswith(BRANCH_PREFIX):
                wanted += Branch.parse(text).children
        return found

    @property
    def next_expiry(self) -> float | None:
        """When the first retired entry may go (Unix seconds), None where there is none."""
        return min((entry.until for entry in self.retired.values()), default=None)

    def records(self) -> dict[str, str]:
        """Every TXT record to serve: full name (without a final dot) and content."""
        records = self.tree.records()
        domain = self.tree.domain
        for label, entry in self.retired.items():
            records.setdefault(f"{label}.{domain}", entry.text)
        return records

    def dump(self) -> PublicationState:
        """Return what `load` reads, fit for JSON."""
        return {
            "url": self.tree.url,
            "records": self.tree.records(),
            "retired": [{"text": e.text, "until": e.until} for e in self.retired.values()],
        }

    @classmethod
    def load(cls, state: PublicationState) -> Publication:
        """Read what `dump` gave; signature and hashes are checked.

        Raises:
            TreeError: the tree does not hold together, or the state is not of that shape.
        """
        try:
            tree = SignedTree.parse(state["url"], state["records"])
            retired = {
                label_of(entry["text"]): Retired(entry["text"], float(entry["until"]))
                for entry in state["retired"]
            }
        except TreeError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TreeError(f"the kept state of a tree is malformed: {error!r}") from error
        return cls(tree, MappingProxyType(retired))


@dataclass(frozen=True, slots=True)
class AddEntries:
    """Serve these entries (full name to content); the root does not lead to them yet."""

    records: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MoveRoot:
    """Replace the root, if it still is `old` (None: there is none yet)."""

    name: str
    old: str | None
    new: str


@dataclass(frozen=True, slots=True)
class RemoveEntries:
    """Stop serving these names."""

    names: tuple[str, ...]


Step: TypeAlias = AddEntries | MoveRoot | RemoveEntries


def publication_steps(served: Mapping[str, str], target: Publication) -> tuple[Step, ...]:
    """Return what turns `served` (a sink's records: name to content) into `target`, in order.

    Each step must be visible on every server before the next. Interrupted anywhere, asking again
    gives what is left to do. Nothing to do gives nothing. Names are compared without case, as
    some servers fold them; contents exactly.
    """
    present = {name.lower(): text for name, text in served.items()}
    domain = target.tree.domain
    wanted = target.records()
    root = wanted.pop(domain)
    steps: list[Step] = []
    missing = {name: text for name, text in wanted.items() if present.get(name.lower()) != text}
    if missing:
        steps.append(AddEntries(MappingProxyType(missing)))
    if present.get(domain) != root:
        steps.append(MoveRoot(domain, present.get(domain), root))
    kept = {name.lower() for name in wanted} | {domain}
    stale = tuple(sorted(name for name in served if name.lower() not in kept))
    if stale:
        steps.append(RemoveEntries(stale))
    return tuple(steps)
