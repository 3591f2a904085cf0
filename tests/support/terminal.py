"""A shell, and a program in a terminal, as somebody has them who works through a document."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import sys
import termios
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

PATIENCE_SECONDS: Final = 90.0
_ROWS, _COLUMNS = 40, 108
_END: Final = "=== done ==="
_LINE_LIMIT: Final = 1 << 22


def environment(home: Path) -> dict[str, str]:
    """Return an environment where our commands are found and nothing is kept but in `home`."""
    kept = {name: value for name, value in os.environ.items() if name in {"LANG", "TMPDIR"}}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**kept, "PATH": path, "HOME": str(home), "TERM": "xterm"}


class Shell:
    """A bash that keeps its variables and functions from command to command."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def run(self, command: str) -> str:
        """Run a command; return what it prints."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{{ {command}\n}} </dev/null\necho '{_END}'\n".encode())
        output = ""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not output.endswith(f"{_END}\n"):
                line = await self._process.stdout.readline()
                assert line, f"the shell ended: {output}"
                output += line.decode()
        return output.removesuffix(f"{_END}\n")

    async def until(self, command: str, satisfied: Callable[[str], bool]) -> str:
        """Run a command again and again until its output satisfies; return the last output."""
        output = ""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not satisfied(output := await self.run(command)):  # noqa: ASYNC110
                    await asyncio.sleep(0.3)
        return output


@contextlib.asynccontextmanager
async def shell(folder: Path, env: Mapping[str, str]) -> AsyncIterator[Shell]:
    """Open a shell in a folder."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "--norc", "--noprofile"),
        cwd=folder,
        env=env,
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
        limit=_LINE_LIMIT,
    )
    try:
        yield Shell(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


class Terminal:
    """A program that runs in a terminal, and everything that it has written."""

    def __init__(self, process: Process, descriptor: int) -> None:
        self._process = process
        self._descriptor = descriptor
        self._grown = asyncio.Event()
        self.text = ""

    def read(self) -> None:
        """Take what the program has written; without this it would stand still."""
        try:
            data = os.read(self._descriptor, 1 << 16)
        except OSError:  # what Linux says once nobody holds the other side
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._descriptor)
        self.text += data.decode(errors="replace")
        self._grown.set()

    async def until(self, satisfied: Callable[[str], bool]) -> None:
        """Wait until the text satisfies, but not for ever."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not satisfied(self.text):
                    self._grown.clear()
                    await self._grown.wait()

    async def interrupt(self) -> int:
        """Press Ctrl-C; return the exit code."""
        self._process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._process.wait()


@contextlib.contextmanager
def _ctrl_c() -> Iterator[None]:
    """Let what is started be interrupted, also where we are a job in the background that is not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.asynccontextmanager
async def terminal(folder: Path, env: Mapping[str, str], *command: str) -> AsyncIterator[Terminal]:
    """Run a program in a terminal; it ends with the block at the latest."""
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        with _ctrl_c():
            process = await asyncio.create_subprocess_exec(
                *command, cwd=folder, env=env, stdin=DEVNULL, stdout=theirs, stderr=theirs
            )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    running = Terminal(process, ours)
    asyncio.get_running_loop().add_reader(ours, running.read)
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)
