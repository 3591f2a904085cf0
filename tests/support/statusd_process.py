"""A real `statusd` process of ours, on free ports of the loopback, for tests of the whole node."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STATUSD = str(Path(sys.executable).with_name("statusd"))
PATIENCE_SECONDS = 60.0
ISOLATED: dict[str, Any] = {
    "EnableNTPSync": False,
    "ClusterConfig": {"Enabled": True},
    "WakuConfig": {"Enabled": True, "FullNode": True},
}


@dataclass
class Statusd:
    """One process: its log is read all along, so that it never waits for a full pipe."""

    process: asyncio.subprocess.Process
    config: Path
    lines: list[str] = field(default_factory=list)
    _grown: asyncio.Condition = field(default_factory=asyncio.Condition)
    _ended: bool = False

    async def read_log(self) -> None:
        """Collect the log until the process closes it."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            async with self._grown:
                self.lines.append(line.decode().rstrip("\n"))
                self._grown.notify_all()
        async with self._grown:
            self._ended = True
            self._grown.notify_all()

    async def logged(self, pattern: str, start: int = 0) -> re.Match[str]:
        """Wait for a line that matches, from line number `start` on, and return the match."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._grown:
            while True:
                for line in self.lines[start:]:
                    if match := re.search(pattern, line):
                        return match
                assert not self._ended, f"no line {pattern!r} in:\n" + "\n".join(self.lines)
                await self._grown.wait()

    async def enode(self) -> str:
        """Return the node's enode, with the port it listens on."""
        return (await self.logged(r'Started P2P networking.* self="?(enode://[^?"]+)')).group(1)

    async def metrics_port(self) -> int:
        """Return the port of metrics and health."""
        return int((await self.logged(r"Metrics endpoint opened.* address=\S*:(\d+)")).group(1))

    def rewrite(self, **settings: object) -> None:
        """Replace the configuration file as careful editors do: whole, by a rename."""
        draft = self.config.with_suffix(".new")
        draft.write_text(json.dumps(ISOLATED | settings))
        draft.replace(self.config)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.ended()

    async def ended(self) -> int:
        """Wait for the end and return the exit code."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.process.wait()


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until `holds` does; it is asked again and again."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await holds():  # noqa: ASYNC110 - another process cannot set an event of ours
            await asyncio.sleep(0.05)


def _write_config(folder: Path, settings: dict[str, object]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.json"
    config.write_text(json.dumps(ISOLATED | settings))
    return config


@asynccontextmanager
async def statusd(
    folder: Path, *arguments: str, command: Sequence[str] = (STATUSD,), **settings: object
) -> AsyncIterator[Statusd]:
    """Run a node with a configuration of ISOLATED and `settings`; it is dead afterwards.

    `command` may name another program of the same flags, or something that runs one.
    """
    config = _write_config(folder, settings)
    process = await asyncio.create_subprocess_exec(
        *(*command, "-fleet", "", "-dir", str(folder / "data"), "-addr", "127.0.0.1:0"),
        *("-c", str(config), "-metrics", "-metrics-port", "0", *arguments),
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    node = Statusd(process, config)
    reader = asyncio.create_task(node.read_log())
    try:
        yield node
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reader
