"""One fleet on one screen: what its object and its operator say, as text. Pure.

Shows what stands in the object, and never asks anything further: a fleet that cannot be shown from
its status has a status that lacks something.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from statusfleet.api.status import (
    Condition,
    ConditionType,
    FleetStatus,
    MemberStatus,
    RoleStatus,
    TreeStatus,
)
from statusfleet.cli.kubectl.columns import age, columns
from statusfleet.cli.kubectl.remedies import remedy_of
from statusfleet.kube.client import FIELD_MANAGER as OURS
from statusfleet.reconcile.reasons import Reason

MOST_MEMBERS: Final = 24
"""Rows of members that fit a screen beside the rest."""

_FEWEST_MEMBERS: Final = 3
_MOST_SAID: Final = 2
"""Lines of a condition's message where there is little room."""
_BETTER_FALSE: Final = frozenset(
    {ConditionType.PROGRESSING, ConditionType.UPDATE_PENDING, ConditionType.PAUSED}
)
"""Conditions that speak of something passing, which a fleet at rest has not."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much a terminal shows."""

    rows: int
    columns: int

    def rows_of(self, lines: Iterable[str]) -> int:
        """Return how many rows lines take, long ones more than one."""
        return sum(max(1, math.ceil(len(line) / self.columns)) for line in lines)


def fitting_lines(
    body: Mapping[str, Any],
    status: FleetStatus,
    now: float,
    size: Size,
    silence: Sequence[str] = (),
) -> list[str]:
    """Return the lines of the screen; where these are too many, what a terminal has room for.

    What is as it should be is then said in a word, and of the members those are left out last that
    lack something. A fleet with more trouble than fits keeps its trouble.
    """
    whole = list(status_lines(body, status, now, silence))
    if size.rows_of(whole) <= size.rows or not status.conditions:
        return whole
    metadata = body["metadata"]
    where = f"{metadata['name']} -n {metadata['namespace']}"
    head = [*_head(metadata, status, now), *silence, *_roles_in_a_line(status)]
    tail = [*_tree_in_short(status.tree, now)]
    troubled = [one for one in status.conditions if not _is_fine(one)]
    for condition in troubled:
        tail += _condition_in_short(condition, status, metadata, now, size.columns)
    if fine := len(status.conditions) - len(troubled):
        others = f"the other {fine}" if troubled else f"all {fine}"
        tail.append(f"{others} conditions are as they should be")
    room = size.rows - size.rows_of([*head, *tail])
    return [*head, *_members_within(status, where, room, size), *tail]


def _tree_in_short(tree: TreeStatus | None, now: float) -> Iterator[str]:
    if tree is None:
        return
    yield from _tree_lines(tree, now)
    if held := [sink.name for sink in tree.sinks if sink.state == "Published"]:
        yield f"     held by {', '.join(held)}"
    for sink in tree.sinks:
        if sink.state != "Published":
            why = f": {sink.message}" if sink.message else ""
            yield f"     {sink.name} is {sink.state}{why}"


def _condition_in_short(
    condition: Condition,
    status: FleetStatus,
    metadata: Mapping[str, Any],
    now: float,
    columns: int,
) -> Iterator[str]:
    since = _age(condition.last_transition_time, now)
    said = f"{condition.type} is {condition.status} ({condition.reason}, {since})"
    if condition.message:
        said += f": {condition.message}"
    yield from textwrap.wrap(
        said, columns, subsequent_indent="  ", max_lines=_MOST_SAID, placeholder=" …"
    )
    yield from _next(condition, status, metadata)


def _members_within(status: FleetStatus, where: str, room: int, size: Size) -> list[str]:
    """Return as many members as there are rows for, and at least a few."""
    for most in range(len(status.members), _FEWEST_MEMBERS, -1):
        lines = list(_members(status, where, most))[1:]
        if size.rows_of(lines) <= room:
            return lines
    return list(_members(status, where, _FEWEST_MEMBERS))[1:]


def _roles_in_a_line(status: FleetStatus) -> Iterator[str]:
    if counts := _counts(status):
        yield ", ".join(
            f"{name} {one.ready}/{one.desired} ({one.published} in the tree)"
            for name, one in counts
        )


def _is_fine(condition: Condition) -> bool:
    if condition.reason in (Reason.NOT_APPLICABLE, Reason.DISABLED):
        return True
    if condition.reason == Reason.ROLLOUT_STOPPED:
        return False
    return condition.status == ("False" if condition.type in _BETTER_FALSE else "True")


def status_lines(
    body: Mapping[str, Any], status: FleetStatus, now: float, silence: Sequence[str] = ()
) -> Iterator[str]:
    """Yield the lines of the screen; `now` is in unix seconds.

    `silence` is what to say of an operator that is not at work.
    """
    metadata = body["metadata"]
    where = f"{metadata['name']} -n {metadata['namespace']}"
    yield from _head(metadata, status, now)
    yield from silence
    if not status.conditions:
        made = metadata.get("creationTimestamp")
        since = f", {_age(made, now)} after it was made" if made else ""
        yield f"no operator has looked at it yet{since}"
        return
    yield from _roles(status)
    yield from _members(status, where)
    yield from _tree(status.tree, now)
    yield ""
    yield from _conditions(status, metadata, now)


def _head(metadata: Mapping[str, Any], status: FleetStatus, now: float) -> Iterator[str]:
    ready = f", {status.ready} members ready" if status.ready else ""
    yield f"{metadata['namespace']}/{metadata['name']}: {status.phase or 'Unknown'}{ready}"
    if status.image:
        yield f"image {status.image}"
    if deleted := metadata.get("deletionTimestamp"):
        yield f"being deleted since {_age(deleted, now)}"
    generation = int(metadata.get("generation") or 0)
    if status.conditions and status.observed_generation < generation:
        yield (
            f"the operator has not taken up the last edit yet{_edited(metadata, now)}: this is of "
            f"generation {status.observed_generation}, the spec is at {generation}"
        )


def _edited(metadata: Mapping[str, Any], now: float) -> str:
    """Return how long ago somebody set a field other than the status, "" where nobody knows."""
    times = [
        entry["time"]
        for entry in metadata.get("managedFields") or ()
        if entry.get("time") and not entry.get("subresource") and entry.get("manager") != OURS
    ]
    return f", made {_age(max(times), now)} ago" if times else ""


def _counts(status: FleetStatus) -> list[tuple[str, RoleStatus]]:
    counts = status.roles
    if counts is None:
        return []
    named = (
        ("bootstrap", counts.bootstrap),
        ("relayer", counts.relayer),
        ("rendezvous", counts.rendezvous),
        ("mailserver", counts.mailserver),
    )
    return [(name, one) for name, one in named if one is not None]


def _roles(status: FleetStatus) -> Iterator[str]:
    if status.roles is None:
        return
    yield ""
    yield from columns(
        ("ROLE", "DESIRED", "READY", "IN TREE"),
        [(name, one.desired, one.ready, one.published) for name, one in _counts(status)],
    )


def _members(status: FleetStatus, where: str, most: int = MOST_MEMBERS) -> Iterator[str]:
    shown = _most_telling(status.members, most)
    if not shown:
        return
    yield ""
    lines = columns(
        ("MEMBER", "READY", "IN TREE", "SEQ", "ADDRESS", "FROM"),
        [
            (
                member.name,
                _yes(member.ready),
                _yes(member.published),
                member.seq,
                member.address or "",
                member.address_source or "",
            )
            for member in shown
        ],
    )
    yield next(lines)
    for member, line in zip(shown, lines, strict=True):
        yield line
        if member.message:
            yield f"  {member.message}"
        if member.version and member.version != status.image:
            yield f"  runs {member.version}"
    if len(shown) < len(status.members):
        yield f"and {len(status.members) - len(shown)} more: kubectl statusfleet nodes {where}"


def _most_telling(members: tuple[MemberStatus, ...], most: int) -> tuple[MemberStatus, ...]:
    """Return the members that fit: those that lack something first, in the order they had."""
    if len(members) <= most:
        return members
    by_need = sorted(members, key=lambda member: member.ready and not member.message)
    chosen = {member.name for member in by_need[:most]}
    return tuple(member for member in members if member.name in chosen)


def _tree(tree: TreeStatus | None, now: float) -> Iterator[str]:
    if tree is None:
        return
    yield ""
    yield from _tree_lines(tree, now)
    yield from sink_lines(tree)


def _tree_lines(tree: TreeStatus, now: float) -> Iterator[str]:
    moved = f", published {_age(tree.published_at, now)} ago" if tree.published_at else ""
    read = f", read back {_age(tree.propagated_at, now)} ago" if tree.propagated_at else ""
    yield f"tree {tree.url}"
    yield f"     seq {tree.seq}, {tree.records} records{moved}{read}"


def sink_lines(tree: TreeStatus) -> Iterator[str]:
    """Yield a table of the sinks of a tree, each with what it complains of."""
    if not tree.sinks:
        return
    lines = columns(
        ("SINK", "STATE", "SEQ"), [(sink.name, sink.state, sink.seq) for sink in tree.sinks]
    )
    yield next(lines)
    for sink, line in zip(tree.sinks, lines, strict=True):
        yield line
        if sink.message:
            yield f"  {sink.message}"


def _conditions(status: FleetStatus, metadata: Mapping[str, Any], now: float) -> Iterator[str]:
    lines = columns(
        ("CONDITION", "STATUS", "REASON", "SINCE"),
        [
            (one.type, one.status, one.reason, _age(one.last_transition_time, now))
            for one in status.conditions
        ],
    )
    yield next(lines)
    for condition, line in zip(status.conditions, lines, strict=True):
        yield line
        if condition.message:
            yield f"  {condition.message}"
        yield from _next(condition, status, metadata)


def _next(condition: Condition, status: FleetStatus, metadata: Mapping[str, Any]) -> Iterator[str]:
    if remedy := remedy_of(condition, status.members, metadata):
        yield f"  next: {remedy}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _age(moment: str, now: float) -> str:
    """Return how long ago a moment, as Kubernetes writes it, was."""
    return age(now - datetime.fromisoformat(moment).timestamp())
