"""`statusfleet up` among damaged files, kill -9 at any moment, and a real terminal."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import random
import struct
import sys
import termios
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from statusfleet.store import FolderReader
from support.fleet_up import (
    PATIENCE_SECONDS,
    Json,
    Up,
    by_name,
    children_of,
    nobody_left,
    up,
)

pytestmark = pytest.mark.slow


async def test_a_corrupt_archive_is_refused_and_moved_aside_only_with_recover(
    file: Path, data: Path
) -> None:
    folder = data / "members" / "mailserver-0"
    archive = folder / "archive.sqlite"
    folder.mkdir(parents=True)
    archive.write_bytes(b"garbage " * 1_000)
    async with up(file, data) as fleet:
        told = await fleet.summary(lambda s: any("is corrupt" in text for text in s["missing"]))
        (reason,) = [text for text in told["missing"] if "is corrupt" in text]
        assert "mailserver-0" in reason
        assert "--recover" in reason
        assert await fleet.stop() == 0
    assert archive.read_bytes() == b"garbage " * 1_000
    async with up(file, data, "--recover", "--check") as fleet:
        assert await fleet.wait() == 0
    (aside,) = folder.glob("archive.sqlite.corrupt-*")
    assert aside.read_bytes() == b"garbage " * 1_000


def check_history(events: list[Json], enodes: dict[str, str], seq: int) -> int:
    """Hold what was said against what was said before; return the newest number."""
    for event in events:
        if event["event"] == "summary":
            for member in event["members"]:
                if member["enode"]:
                    assert enodes.setdefault(member["name"], member["enode"]) == member["enode"]
            if event["tree"] and event["tree"]["seq"]:
                assert event["tree"]["seq"] >= seq
                seq = event["tree"]["seq"]
    return seq


async def kill_everything(fleet: Up, data: Path) -> None:
    """kill -9 for `statusfleet` and all that it has started."""
    for process in children_of(data):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, 9)
    await fleet.wait()
    await nobody_left(data)


async def test_killed_with_all_its_nodes_at_any_moment_it_comes_back_as_the_same_fleet(
    file: Path, data: Path
) -> None:
    chance = random.Random()
    enodes: dict[str, str] = {}
    seq = 0
    for _ in range(5):
        async with up(file, data) as fleet:
            await asyncio.sleep(chance.uniform(0.0, 3.0))
            await kill_everything(fleet, data)
        seq = check_history(fleet.events, enodes, seq)
    seq = max(seq, FolderReader(data).state().tree.seq)
    async with up(file, data, "--check") as fleet:
        assert await fleet.wait() == 0
    assert check_history(fleet.events, enodes, seq) >= seq
    assert set(enodes) == set(by_name(fleet.events[-1]))


@contextlib.asynccontextmanager
async def terminal() -> AsyncIterator[Terminal]:
    """Open a terminal of 140 columns, and read what appears on it."""
    here, there = os.openpty()
    loop = asyncio.get_running_loop()
    try:
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
        opened = Terminal(here, os.ttyname(there))
        loop.add_reader(here, opened.read)
        yield opened
    finally:
        loop.remove_reader(here)
        os.close(here)
        os.close(there)


@dataclass
class Terminal:
    """What a person sees and types."""

    descriptor: int
    name: str
    output: bytes = b""

    def read(self) -> None:
        """Take what has appeared."""
        self.output += os.read(self.descriptor, 65_536)

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self.descriptor, keys)

    async def shows(self, text: bytes) -> None:
        """Wait until a text has appeared."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while text not in self.output:  # noqa: ASYNC110 - a terminal sends no events of ours
                await asyncio.sleep(0.05)


async def test_ctrl_c_on_a_terminal_ends_everything_and_gives_the_terminal_back(
    file: Path, data: Path
) -> None:
    async with terminal() as person:
        # The first thing that a new session opens becomes its terminal, which Ctrl-C goes through.
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1', person.name),
            *(sys.executable, "-m", "statusfleet.cli.main", "up", str(file), "--data", str(data)),
            start_new_session=True,
            env={**os.environ, "TERM": "xterm"},
        )
        try:
            await person.shows(b"relayer-1")
            await person.shows(b"enrtree://")
            await person.shows(b"\x1b[?25l")
            person.type(b"\x03")
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await process.wait() == 0
            await nobody_left(data)
            await person.shows(b"\x1b[?25h")
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
