"""One sink, and what is known of it since this process began."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from statusfleet.plan import DesiredTree
from statusfleet.publishers.sink import (
    ForeignTreeError,
    LaggingError,
    Progress,
    RootMovedError,
    SeenTree,
    Sink,
    SinkError,
    Target,
)
from statusfleet.reconcile.conditions import SinkState
from statusfleet.tree.publication import Publication
from statusfleet.tree.zone import ZoneSettings
from statusnode.records.tree import Root, TreeError

_READ_BACK_SECONDS: Final = 10.0
_ENTRIES_PER_SECOND: Final = 100


@dataclass(slots=True, eq=False)
class Place:
    """A sink, and what is known of it since this process began."""

    sink: Sink
    met: bool = False
    """Whether its root was looked at, and may be replaced."""
    foreign: bool = False
    """Whether another's tree stands there."""
    root: str | None = None
    """The text of the root that it holds."""
    beside: int = 0
    """The highest number of a root that stood there and that we did not know: of a memory that was
    lost, or of a twin, whose readers follow only a higher one when that tree is gone."""
    served: Target | None = None
    proved: Target | None = None
    look_again: float = 0.0
    progress: Progress = "Pending"
    problem: str = ""

    @property
    def seq(self) -> int:
        """The number of the root that it holds, 0 without one."""
        with suppress(TreeError):
            return Root.parse(self.root or "").seq
        return 0

    @property
    def state(self) -> SinkState:
        """How far it is, as last seen."""
        return SinkState(self.sink.name, self.progress, self.seq, self.problem)

    async def attempt(self, act: Callable[[Place], Awaitable[None]]) -> bool:
        """Act on it; return whether that worked, and keep what went wrong."""
        self.foreign = False
        try:
            await act(self)
        except RootMovedError as error:
            # Look again, and go on from what is there.
            self.met, self.progress, self.problem = False, "Publishing", str(error)
        except LaggingError as error:
            self.progress, self.problem = "Publishing", str(error)
        except SinkError as error:
            self.foreign = isinstance(error, ForeignTreeError)
            self.progress, self.problem = "Failed", str(error)
        else:
            return True
        return False

    async def prove(self, target: Target) -> None:
        """Read the tree back; keep what is wrong with it, or that nothing is."""
        signed = target.publication.tree
        seconds = _READ_BACK_SECONDS + len(signed.tree.entries) / _ENTRIES_PER_SECOND
        self.problem = f"no whole tree within {seconds:g} s"
        with suppress(TimeoutError):
            try:
                async with asyncio.timeout(seconds):
                    seen = await self.sink.read_back(signed.url)
            except (TreeError, SinkError) as error:
                self.problem = str(error)
            else:
                self.problem = next(
                    filter(None, (what_is_wrong(tree, target) for tree in seen)), ""
                )
        if not self.problem:
            self.proved = target


def what_is_wrong(seen: SeenTree, target: Target) -> str:
    """Return what is wrong with a tree that was read back, "" for nothing."""
    signed = target.publication.tree
    where = seen.server or "DNS"
    if seen.complaints:
        named = f"{seen.server}: " if seen.server else ""
        return named + "; ".join(seen.complaints[:3])
    if seen.seq != signed.seq:
        return f"{where} gives number {seen.seq}, published was {signed.seq}"
    if {str(node) for node in seen.nodes} != {str(node) for node in signed.tree.nodes}:
        return f"{where} gives other records than were published"
    return ""


def withdrawal(publication: Publication) -> Target:
    """Return what to take away: everything that was written, however it was to be served."""
    settings = ZoneSettings(publication.tree.domain)
    return Target(publication, settings, frozenset(publication.records()))


def zone_settings(desired: DesiredTree) -> ZoneSettings:
    """Return what the zone of a tree says besides its entries."""
    return ZoneSettings(
        domain=desired.domain,
        nameservers=desired.name_servers,
        mail=desired.mailbox,
        minimum_seconds=desired.soa_minimum_seconds,
        root_ttl_seconds=desired.root_ttl_seconds,
        entry_ttl_seconds=desired.entries_ttl_seconds,
    )
