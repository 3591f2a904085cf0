"""The tree taken away from sinks that a spec names no more.

The memory says which sinks may show the tree, so it makes no difference whether an operator was
there when one was taken out of the spec. One that cannot be reached is tried again, later and later
up to five minutes, and holds up nobody: sinks that the spec names come first in every pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from statusfleet.api.tree import Embedded
from statusfleet.api.tree import Sink as SinkSpec
from statusfleet.publishers.sink import ForeignTreeError, Sink, SinkError, Target
from statusfleet.reconcile.places import Waiting
from statusfleet.store.state import Shown

_RETRY_SECONDS: Final = 2.0
_LONGEST_RETRY_SECONDS: Final = 300.0


class Reach(Protocol):
    """Makes a sink from what is remembered of it."""

    async def __call__(self, spec: SinkSpec, /, *, shared: bool) -> Sink | None:
        """Return the sink, None where what it shows is wanted all the same; raises SinkError.

        `shared` says whether the sinks of the spec show the same tree.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Trouble:
    """What came of the last attempt, how many there were, and when the next is due."""

    problem: str
    attempts: int
    retry_at: float


class Withdrawals:
    """Takes a tree away from sinks, each in its own time."""

    def __init__(self, reach: Reach, now: Callable[[], float], waiting: Waiting) -> None:
        """Take how to reach a sink; `waiting` surrounds every wait for one."""
        self._reach = reach
        self._now = now
        self._waiting = waiting
        self._troubles: dict[str, _Trouble] = {}
        self._held: frozenset[str] = frozenset()

    @property
    def problems(self) -> dict[str, str]:
        """What keeps the tree at a sink, by the sink's name."""
        held = dict.fromkeys(sorted(self._held), "no sink that the spec names has it yet")
        return held | {name: trouble.problem for name, trouble in sorted(self._troubles.items())}

    def hold(self, dropped: Shown) -> None:
        """Leave the tree where it is for now: readers find it nowhere else."""
        self._troubles, self._held = {}, frozenset(dropped)

    @property
    def retry_at(self) -> float | None:
        """When the next attempt is due (Unix seconds), None where there is none."""
        return min((trouble.retry_at for trouble in self._troubles.values()), default=None)

    async def take(
        self, dropped: Shown, target: Target, *, shared: bool, at_once: bool = False
    ) -> frozenset[str]:
        """Withdraw `target` from those whose time has come; return who shows nothing of it now.

        With `shared`, the sinks of the spec show the same tree. With `at_once`, the time of
        everybody has come.
        """
        self._held = frozenset()
        self._troubles = {name: t for name, t in self._troubles.items() if name in dropped}
        now = self._now()
        due = [
            name
            for name in dropped
            if at_once or name not in self._troubles or self._troubles[name].retry_at <= now
        ]
        if not due:
            return frozenset()
        async with self._waiting(), asyncio.TaskGroup() as group:
            tasks = {n: group.create_task(self._one(dropped[n], target, shared)) for n in due}
        for name, task in tasks.items():
            self._note(name, task.result())
        return frozenset(name for name, task in tasks.items() if not task.result())

    def _note(self, name: str, problem: str) -> None:
        before = self._troubles.pop(name, None)
        if problem:
            attempts = before.attempts if before is not None else 0
            wait = min(_RETRY_SECONDS * 2 ** min(attempts, 16), _LONGEST_RETRY_SECONDS)
            self._troubles[name] = _Trouble(problem, attempts + 1, self._now() + wait)

    async def _one(self, spec: SinkSpec, target: Target, shared: bool) -> str:
        """Withdraw from one sink; return what went wrong, "" for nothing."""
        try:
            sink = await self._reach(spec, shared=shared)
        except SinkError as error:
            return str(error)
        if sink is None:
            return ""
        try:
            await sink.withdraw(target)
        except ForeignTreeError:
            return ""  # nothing of ours leads anybody from there
        except SinkError as error:
            return str(error)
        finally:
            await sink.close()
        return ""


def remembered(spec: SinkSpec) -> SinkSpec:
    """Return what of a sink is needed to reach it again."""
    return spec if spec.embedded is None else SinkSpec(embedded=Embedded())
