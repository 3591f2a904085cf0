"""Keeps programs running: starts them side by side, restarts what ends, stops what is not wanted.

One task a program, all inside one task group, so that none is forgotten. A task that is cancelled
ends its process first: SIGTERM, then SIGKILL after the grace; `kill` is for a person who presses
Ctrl-C again. It knows nothing of fleets; what a start means is the
`Starter`'s business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from types import TracebackType
from typing import Self

from statusfleet.worlds.errors import WorldError
from statusfleet.worlds.processes.backoff import Backoff, BackoffPolicy
from statusfleet.worlds.processes.child import Process, Program, Starter, describe_end


class Phase(Enum):
    """Where a program stands."""

    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"  # for the next start, after an end or a refused start


@dataclass(frozen=True, slots=True)
class ChildState:
    """What the supervisor knows of one program."""

    phase: Phase
    pid: int | None = None
    starts: int = 0
    problem: str = ""  # why it does not run, or why it last ended


@dataclass(slots=True)
class _Entry:
    program: Program
    on_line: Callable[[bytes], None] | None
    state: ChildState
    ending: frozenset[asyncio.Task[None]] = frozenset()  # earlier runs that are being stopped
    task: asyncio.Task[None] | None = None

    def cancel(self) -> frozenset[asyncio.Task[None]]:
        """Have it stopped; return what is still to be waited for."""
        if self.task is None:
            return self.ending
        self.task.cancel()
        return frozenset(task for task in (*self.ending, self.task) if not task.done())


class Supervisor:
    """The running programs by name; an async context manager that leaves none behind."""

    def __init__(
        self,
        start: Starter,
        clock: Callable[[], float],
        changed: Callable[[str], None],
        *,
        policy: BackoffPolicy | None = None,
        grace_seconds: float = 3.0,
    ) -> None:
        """Take how to start, a monotonic clock, and whom to tell that a program's state changed."""
        self._start = start
        self._clock = clock
        self._changed = changed
        self._policy = policy or BackoffPolicy()
        self._grace_seconds = grace_seconds
        self._entries: dict[str, _Entry] = {}
        self._living: set[Process] = set()
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for entry in self._entries.values():
            entry.cancel()
        await self._group.__aexit__(kind, error, traceback)

    @property
    def states(self) -> dict[str, ChildState]:
        """The state of every wanted program."""
        return {name: entry.state for name, entry in self._entries.items()}

    def run(self, program: Program, on_line: Callable[[bytes], None] | None = None) -> None:
        """Keep `program` running from now on; a changed one of that name is restarted."""
        before = self._entries.get(program.name)
        if before is not None and before.program == program:
            return
        entry = _Entry(program, on_line, ChildState(Phase.STARTING))
        if before is not None:
            entry.state = ChildState(Phase.STARTING, starts=before.state.starts)
            entry.ending = before.cancel()
        self._entries[program.name] = entry
        entry.task = self._group.create_task(self._keep_running(entry), name=program.name)
        self._changed(program.name)

    async def stop(self, names: Iterable[str]) -> None:
        """Stop these programs side by side and forget them."""
        ending: set[asyncio.Task[None]] = set()
        for name in names:
            entry = self._entries.pop(name, None)
            if entry is not None:
                ending |= entry.cancel()
        if ending:
            await asyncio.wait(ending)

    def kill(self) -> None:
        """Cut short the grace of whatever still runs."""
        for process in self._living:
            process.kill()

    async def _keep_running(self, entry: _Entry) -> None:
        if entry.ending:
            await asyncio.wait(entry.ending)
            entry.ending = frozenset()
        backoff = Backoff(self._policy)
        while True:
            began = self._clock()
            problem = await self._run_once(entry)
            self._set(entry, replace(entry.state, phase=Phase.WAITING, pid=None, problem=problem))
            await asyncio.sleep(backoff.ended(self._clock() - began))

    async def _run_once(self, entry: _Entry) -> str:
        """Start the program and wait for its end; return what to say about it."""
        try:
            process = await self._start(entry.program, entry.on_line)
        except (WorldError, OSError) as error:
            return str(error)
        starts = entry.state.starts + 1
        self._set(entry, ChildState(Phase.RUNNING, process.pid, starts, entry.state.problem))
        self._living.add(process)
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            await self._end(process)
            raise
        finally:
            self._living.discard(process)
            process.kill()  # what it may have left behind in its group
        return describe_end(code, entry.program.log)

    async def _end(self, process: Process) -> None:
        process.terminate()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), self._grace_seconds)
            return
        process.kill()
        await process.wait()

    def _set(self, entry: _Entry, state: ChildState) -> None:
        entry.state = state
        self._changed(entry.program.name)
