"""A picture of a fleet as a table for people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from statusfleet.api.status import ConditionType
from statusfleet.cli.picture import MemberPart, Picture
from statusfleet.worlds.processes.world import Detail

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES: Final = {"ready": "green", "starting": "yellow", "leaving": "yellow", "failed": "red"}
_KEY: Final = re.compile(r"(?<=enode://)([0-9a-f]{8})[0-9a-f]+")


def fleet_table(
    picture: Picture,
    details: Mapping[str, Detail],
    news: tuple[str, ...] = (),
    *,
    hints: Mapping[str, str] | None = None,
    whole_lines: bool = False,
) -> RenderableType:
    """Return the table of members with the tree, the canary and what is missing below it.

    It fills the terminal's width. With `whole_lines` nothing is shortened, for text that is kept
    or searched. `hints` are lines by their titles.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    members = Table(box=None, pad_edge=False, header_style="bold", expand=not whole_lines)
    for title in ("member", "role", "state"):
        members.add_column(title, no_wrap=True)
    for title in ("peers", "envelopes", "pid"):
        members.add_column(title, no_wrap=True, justify="right")
    # The one column that gives way on a narrow terminal.
    members.add_column("enode", no_wrap=True, overflow="ellipsis", ratio=1)
    for member in picture.members:
        detail = details.get(member.name)
        members.add_row(
            member.name,
            member.role,
            Text(member.state, style=_STYLES.get(member.state, "")),
            str(detail.peers) if detail and member.pid else "-",
            str(detail.envelopes) if detail and member.pid else "-",
            str(member.pid or "-"),
            _last_column(member, whole_lines),
        )
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for title, fact in (*_facts(picture), *(hints or {}).items()):
        facts.add_row(title, Text(fact))
    return Group(
        members,
        Text(),
        facts,
        *(Text(f"missing: {text}", style="yellow") for text in picture.missing),
        *(Text(text, style="dim") for text in news),
    )


def short_enode(enode: str) -> str:
    """Return an enode with most of its key left out, for a column."""
    return _KEY.sub(r"\1…", enode, count=1)


def _last_column(member: MemberPart, whole: bool) -> str:
    if member.state != "ready" and member.message:
        return member.message
    if member.enode is None:
        return "-"
    return member.enode if whole else short_enode(member.enode)


def _facts(picture: Picture) -> Iterator[tuple[str, str]]:
    if picture.tree is not None:
        tree = picture.tree
        state = "resolved" if tree.propagated else "published" if tree.published else "waiting"
        server = f", DNS at {picture.dns} (UDP and TCP)" if picture.dns else ""
        yield "tree", tree.url
        yield "", f"seq {tree.seq}, {tree.records} records, {state}{server}"
    for condition in picture.conditions if picture.tree is None else ():
        if condition.type is ConditionType.TREE_PUBLISHED:
            yield "tree", f"none: {condition.message}"
    if picture.canary is not None:
        canary = picture.canary
        if canary.finished_at is None:
            yield "canary", "waiting for its first run"
        elif canary.passed:
            times = [("relayed", canary.latency_ms)]
            times += [(leg.member, leg.latency_ms) for leg in canary.legs if leg.leg == "fetch"]
            shown = ", ".join(f"{what} {ms:.0f} ms" for what, ms in times if ms is not None)
            yield "canary", f"passed: {shown}"
        else:
            yield "canary", f"failed: {'; '.join(canary.failures)}"
    yield "data", picture.data
