"""Who belongs to the tree: members enter when ready, and leave slowly.

A record enters only while its member is ready. It leaves at once when the spec drops the member
(then it is no candidate any more), or after the member was unready for a grace period. Unreadiness
alone never takes away more than half of the desired members' records, nor the last one: when half
a fleet looks dead, the observer is the likelier culprit, and an empty tree would cut off every
reader. What is measured is how many desired members are left in the tree, not how many were taken
out lately, so that the answer needs no history.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from statusnode.records.enr import Record


class Standing(enum.Enum):
    """What becomes of a member's record, and why."""

    ENTERS = "enters: it is ready"
    STAYS = "stays: it is ready"
    WAITS = "waits: it was never ready, or has no address"
    GRACE = "stays: it has not been unready for long"
    KEPT = "stays: too few others would be left"
    LEAVES = "leaves: it has been unready for too long"

    @property
    def listed(self) -> bool:
        """Whether the record is in the tree."""
        return self not in (Standing.WAITS, Standing.LEAVES)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member that the spec wants, as the tree sees it.

    `record` is None while the member has no address; `published` is what the tree holds of it now;
    `unready_since` is None while it is ready, else Unix seconds.
    """

    name: str
    record: Record | None
    published: Record | None
    unready_since: float | None


@dataclass(frozen=True, slots=True)
class Membership:
    """The answer: each member's standing, the records of the tree, and when to ask again.

    `next_change` is when the first grace period ends (Unix seconds), None where none runs.
    """

    standings: Mapping[str, Standing]
    records: tuple[Record, ...]
    next_change: float | None


def choose_members(
    candidates: Iterable[Candidate], *, now: float, grace_seconds: float
) -> Membership:
    """Decide whose records the tree holds; with a grace of 0 there is no debounce."""
    candidates = sorted(candidates, key=lambda candidate: candidate.name)
    standings = {
        candidate.name: _standing(candidate, now, grace_seconds) for candidate in candidates
    }
    # Of those whose time is over, the ones that went last are the likeliest to come back.
    leaving = sorted(
        (candidate for candidate in candidates if standings[candidate.name] is Standing.LEAVES),
        key=lambda candidate: candidate.unready_since or 0,
    )
    staying = sum(standing.listed for standing in standings.values())
    spared = max(0, _fewest_left(len(candidates)) - staying)
    for candidate in leaving[len(leaving) - min(spared, len(leaving)) :]:
        standings[candidate.name] = Standing.KEPT
    ends = [
        candidate.unready_since + grace_seconds
        for candidate in candidates
        if standings[candidate.name] is Standing.GRACE and candidate.unready_since is not None
    ]
    records = tuple(
        record
        for candidate in candidates
        if (record := _record(candidate, standings[candidate.name])) is not None
    )
    return Membership(standings, records, min(ends, default=None))


def _standing(candidate: Candidate, now: float, grace_seconds: float) -> Standing:
    """Judge one member without regard to the others."""
    listed = _published(candidate) is not None
    if candidate.unready_since is None and candidate.record is not None:
        return Standing.STAYS if listed else Standing.ENTERS
    if not listed:
        return Standing.WAITS
    if candidate.unready_since is None or now - candidate.unready_since < grace_seconds:
        return Standing.GRACE
    return Standing.LEAVES


def _record(candidate: Candidate, standing: Standing) -> Record | None:
    """A ready member's own record; of any other the one that readers know already."""
    if standing in (Standing.ENTERS, Standing.STAYS):
        return candidate.record
    return _published(candidate) if standing.listed else None


def _published(candidate: Candidate) -> Record | None:
    """What the tree holds, unless the member has got another key: that node is gone."""
    published, record = candidate.published, candidate.record
    if published is not None and record is not None and published.node_id != record.node_id:
        return None
    return published


def _fewest_left(desired: int) -> int:
    """How many records unreadiness must leave: half of the desired, and never none."""
    return max(desired - desired // 2, 1)
