"""One sink, and what is known of it since this process began."""

from __future__ import annotations

import asyncio
import random
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
from statusfleet.reconcile.showing import SinkState
from statusfleet.tree.publication import Publication
from statusfleet.tree.zone import ZoneSettings
from statusnode.records.tree import Root, TreeError

_READ_BACK_SECONDS: Final = 10.0
_ENTRIES_PER_SECOND: Final = 100
_RETRY_SECONDS: Final = 2.0
_LONGEST_RETRY_SECONDS: Final = 60.0
_LOOK_AGAIN_SECONDS: Final = 600.0


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
    seen: frozenset[str] = frozenset()
    """The roots that its servers gave when the tree was last read back: what readers hold."""
    displaced: int = 0
    """How often a root of our key stood there that was not ours, in the place of ours."""
    served: Target | None = None
    proved: Target | None = None
    look_again: float = 0.0
    progress: Progress = "Pending"
    problem: str = ""
    errand: asyncio.Task[None] | None = None
    """What is being done at it now."""
    slow: bool = False
    """Whether the last errand took so long that nobody should wait for the next."""
    tried: bool = False
    """Whether a publication has come to its end there, well or not."""
    retry_at: float | None = None
    """When to try again (Unix seconds), None where nothing is wrong."""
    _troubled: int = 0
    _pause: float = 0.0

    @property
    def seq(self) -> int:
        """The number of the root that it holds, 0 without one."""
        with suppress(TreeError):
            return Root.parse(self.root or "").seq
        return 0

    @property
    def trouble(self) -> str:
        """What is wrong, and, of what fails, about how long after an attempt the next one comes."""
        if self.progress != "Failed" or self.retry_at is None:
            return self.problem
        return f"{self.problem}; tried again after {self._pause:.0f} s"

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
        self.served = self.proved = None
        return False

    def forget(self) -> None:
        """Have it looked at anew: what is there may be another than what is known."""
        self.met, self.look_again = False, 0.0
        self.hurry()

    def is_due(self, now: float) -> bool:
        """Tell whether it may be gone to: it is neither busy, nor was it slow and failed lately."""
        rests = self.slow and self.retry_at is not None and now < self.retry_at
        return self.errand is None and not rests

    def has(self, target: Target, now: float) -> bool:
        """Tell whether it serves a target, as was seen not too long ago."""
        return self.served == target and now < self.look_again

    def begin(self, target: Target) -> None:
        """Note that it is about to be brought a target, if it is another."""
        if self.served != target:
            self.served = self.proved = None
            if self.progress != "Failed":  # else every attempt would be told of
                self.progress = "Publishing"

    def end(self, target: Target, now: float) -> None:
        """Note that it serves a target."""
        self.served, self.progress, self.problem = target, "Published", ""
        self.look_again = now + _LOOK_AGAIN_SECONDS

    def withdrawn(self) -> None:
        """Note that there is nothing of ours any more."""
        self.root = self.served = self.proved = None
        self.progress, self.problem = "Pending", ""

    def schedule(self, now: float, *, done: bool) -> None:
        """Say when to try again; an attempt before that time, which an event made, counts not."""
        self.tried = True
        if done:
            self.hurry()
        elif self.retry_at is None or now >= self.retry_at:
            wait = min(_RETRY_SECONDS * 2 ** min(self._troubled, 16), _LONGEST_RETRY_SECONDS)
            self._troubled, self._pause = self._troubled + 1, wait
            # A server that fails fails all fleets that publish there.
            self.retry_at = now + wait * random.uniform(0.8, 1.2)  # noqa: S311 - no secret

    def hurry(self) -> None:
        """Have it tried with the next step."""
        self._troubled, self.retry_at = 0, None

    def left_alone(self) -> None:
        """Note that nobody waits for what is done at it."""
        self.slow = True
        if not self.problem and (not self.met or self.served is None):
            self.problem = "not done yet; others do not wait for it"

    async def prove(self, target: Target) -> None:
        """Read the tree back; keep what is wrong with it, or that nothing is."""
        signed = target.publication.tree
        seconds = _READ_BACK_SECONDS + len(signed.tree.entries) / _ENTRIES_PER_SECOND
        problem = f"no whole tree within {seconds:g} s"
        with suppress(TimeoutError):
            try:
                async with asyncio.timeout(seconds):
                    found = await self.sink.read_back(signed.url)
            except (TreeError, SinkError) as error:
                problem = str(error)
            else:
                problem = next(filter(None, (what_is_wrong(tree, target) for tree in found)), "")
                self.seen = frozenset(tree.root for tree in found if tree.root)
        self.problem, self.proved = problem, None if problem else target


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
