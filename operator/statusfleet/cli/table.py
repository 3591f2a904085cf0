"""A picture of a fleet as a table for people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from statusfleet.cli.picture import MemberPart, Picture
from statusfleet.worlds.processes.world import Detail

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES: Final = {"ready": "green", "starting": "yellow", "leaving": "yellow", "failed": "red"}
_KEY: Final = re.compile(r"(?<=enode://)([0-9a-f]{8})[0-9a-f]+")


def fleet_table(
    picture: Picture, details: Mapping[str, Detail], news: tuple[str, ...] = ()
) -> RenderableType:
    """Return the table of members with the tree, the canary and what is missing below it."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    members = Table(box=None, pad_edge=False, header_style="bold", expand=True)
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
            _last_column(member),
        )
    lines = [Text(line, overflow="fold") for line in _lines(picture)]
    return Group(
        members,
        Text(),
        *lines,
        *(Text(f"missing: {text}", style="yellow") for text in picture.missing),
        *(Text(text, style="dim") for text in news),
    )


def short_enode(enode: str) -> str:
    """Return an enode with most of its key left out, for a column."""
    return _KEY.sub(r"\1…", enode, count=1)


def _last_column(member: MemberPart) -> str:
    if member.state != "ready" and member.message:
        return member.message
    return short_enode(member.enode) if member.enode else "-"


def _lines(picture: Picture) -> Iterator[str]:
    if picture.tree is not None:
        tree = picture.tree
        state = "resolved" if tree.propagated else "published" if tree.published else "waiting"
        yield f"tree    {tree.url}"
        yield f"        seq {tree.seq}, {tree.records} records, {state}" + (
            f", DNS at {picture.dns} (UDP and TCP)" if picture.dns else ""
        )
    if picture.canary is not None:
        canary = picture.canary
        if canary.finished_at is None:
            yield "canary  waiting for its first run"
        elif canary.passed:
            yield f"canary  passed, {canary.latency_ms or 0:.0f} ms from relayer to relayer"
        else:
            yield f"canary  failed: {'; '.join(canary.failures)}"
    yield f"data    {picture.data}"
