"""Watching running members: one task a member asks it how it is, often until it is ready.

A member becomes ready once or twice in its life and should be seen at once then; while it is ready
it is asked once a second, which is also how fast its numbers move on a screen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, Self

from statusfleet.worlds.processes.probe import SILENT, Health

FIRST_SECONDS: Final = 0.05
SLOWEST_SECONDS: Final = 0.5
READY_SECONDS: Final = 1.0
_SLOWER: Final = 1.25

Ask = Callable[[int], Awaitable[Health]]
"""Asks the member whose metrics port this is."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What is known of one process, and since when it is ready or not (unix seconds)."""

    pid: int
    health: Health
    since: float
    ever_ready: bool = False


class Monitor:
    """The health of running members by name; an async context manager."""

    def __init__(
        self,
        ask: Ask,
        now: Callable[[], float],
        changed: Callable[[], None],
        numbers_changed: Callable[[], None],
    ) -> None:
        """Take how to ask, and whom to tell of a change of readiness, and of mere numbers."""
        self._ask = ask
        self._now = now
        self._changed = changed
        self._numbers_changed = numbers_changed
        self._watched: dict[str, Watched] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for name in list(self._tasks):
            self.forget(name)
        await self._group.__aexit__(None, None, None)

    def get(self, name: str) -> Watched | None:
        """Return what is known of a member, None while it does not run."""
        return self._watched.get(name)

    def watch(self, name: str, pid: int, metrics_port: int) -> None:
        """Watch a process that was just started for a member, in the place of an earlier one."""
        self.forget(name)
        self._watched[name] = Watched(pid, SILENT, self._now())
        self._tasks[name] = self._group.create_task(
            self._follow(name, metrics_port), name=f"watch {name}"
        )

    def forget(self, name: str) -> None:
        """Stop watching; the process is gone."""
        self._watched.pop(name, None)
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()

    async def _follow(self, name: str, metrics_port: int) -> None:
        wait = FIRST_SECONDS
        while True:
            health = await self._ask(metrics_port)
            self._note(name, health)
            if health.ready:
                wait = FIRST_SECONDS
                await asyncio.sleep(READY_SECONDS)
            else:
                await asyncio.sleep(wait)
                wait = min(wait * _SLOWER, SLOWEST_SECONDS)

    def _note(self, name: str, health: Health) -> None:
        before = self._watched[name]
        if health == before.health:
            return
        turned = health.ready != before.health.ready
        self._watched[name] = replace(
            before,
            health=health,
            since=self._now() if turned else before.since,
            ever_ready=before.ever_ready or health.ready,
        )
        if turned or health.reason != before.health.reason:
            self._changed()
        else:
            self._numbers_changed()
