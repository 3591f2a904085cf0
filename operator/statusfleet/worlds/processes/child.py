"""One child process: its start, its lines, its end.

It is bound to our own life by the launcher, in a session of its own so that a terminal's Ctrl-C
reaches it once, through us, and not twice.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from statusfleet.worlds.processes import logfile, ports

_LAUNCHER: Final = "statusfleet.worlds.processes.launcher"
_LINE_LIMIT: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Program:
    """What to run; two equal programs need no restart."""

    name: str
    module: str
    arguments: tuple[str, ...]
    log: Path
    listens: tuple[tuple[str, int], ...] = ()  # what must be free before a start: host, TCP port
    revision: str = ""  # of what it reads at its start only


class Process(Protocol):
    """A running child."""

    @property
    def pid(self) -> int: ...

    async def wait(self) -> int:
        """Wait for its end: the exit code, or minus the signal that ended it."""
        ...

    def terminate(self) -> None:
        """Ask it to end."""
        ...

    def kill(self) -> None:
        """End it, and whatever it started, at once."""
        ...


class Starter(Protocol):
    """Starts a program; `on_line`, if given, gets each line of its standard output."""

    async def __call__(
        self, program: Program, on_line: Callable[[bytes], None] | None
    ) -> Process: ...


class _Child:
    def __init__(
        self, process: asyncio.subprocess.Process, on_line: Callable[[bytes], None] | None
    ) -> None:
        self._process = process
        self._on_line = on_line

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait(self) -> int:
        if self._process.stdout is not None and self._on_line is not None:
            await _read_lines(self._process.stdout, self._on_line)
        return await self._process.wait()

    def terminate(self) -> None:
        with suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        # The session's group, not the process alone: workers of a member end with it.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


async def start(program: Program, on_line: Callable[[bytes], None] | None = None) -> Process:
    """Start `program` as a child that cannot outlive us.

    Its standard error goes to the log, and so does its standard output unless `on_line` takes it.

    Raises:
        PortTakenError: another program listens on one of its ports.
        OSError: the system refuses (no memory, no process, no file).
    """
    for host, port in program.listens:
        ports.check(host, port)
    logfile.bound(program.log)
    with program.log.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # a file in the working folder must not take the place of a module
            "-m",
            _LAUNCHER,
            str(os.getpid()),
            program.module,
            *program.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log if on_line is None else asyncio.subprocess.PIPE,
            stderr=log,
            limit=_LINE_LIMIT,
            start_new_session=True,
        )
    return _Child(process, on_line)


async def _read_lines(stream: asyncio.StreamReader, on_line: Callable[[bytes], None]) -> None:
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # longer than the limit: not one of ours, and already dropped
            continue
        if not line:
            return
        on_line(line)


def describe_end(code: int, log: Path) -> str:
    """Say in words how a process ended; of a failure, with its last words."""
    if code > 0 and (words := logfile.last_line(log)):
        return f"exited with code {code}: {words}"
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
