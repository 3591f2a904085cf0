"""`statusfleet up` as a real process, and what it says in JSON, for tests of whole fleets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

PATIENCE_SECONDS = 90.0
Json = dict[str, Any]


def manifest(relayers: int = 2, mailservers: int = 1, *, more: str = "", name: str = "e2e") -> str:
    """Return a manifest with short times; `more` is added to its spec."""
    text = f"""
        apiVersion: statusfleet.io/v1alpha1
        kind: StatusFleet
        metadata: {{name: {name}}}
        spec:
          roles:
            relayer: {{replicas: {relayers}}}
            mailserver: {{replicas: {mailservers}}}
          tree: {{domain: nodes.{name}.test, ttl: {{root: 1s}}}}
          canary: {{interval: 1s, timeout: 20s}}
    """
    return textwrap.dedent(text) + textwrap.indent(textwrap.dedent(more), "  ")


@dataclass
class Up:
    """One running `statusfleet up --output json`."""

    process: asyncio.subprocess.Process
    events: list[Json] = field(default_factory=list)
    errors: bytes = b""
    _grown: asyncio.Condition = field(default_factory=asyncio.Condition)
    _ended: bool = False

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            async with self._grown:
                self.events.append(json.loads(line))
                self._grown.notify_all()
        async with self._grown:
            self._ended = True
            self._grown.notify_all()

    async def read_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors = await self.process.stderr.read()

    async def event(self, wanted: Callable[[Json], bool], *, since: int = 0) -> Json:
        """Wait for an event, from number `since` on."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._grown:
            while True:
                for event in self.events[since:]:
                    if wanted(event):
                        return event
                assert not self._ended, f"never seen; last: {self.events[-3:]} {self.errors!r}"
                await self._grown.wait()

    async def summary(self, wanted: Callable[[Json], bool], *, since: int = 0) -> Json:
        """Wait for a summary."""
        return await self.event(
            lambda event: event["event"] == "summary" and wanted(event), since=since
        )

    async def whole(self, *, since: int = 0) -> Json:
        """Wait until nothing is missing."""
        return await self.summary(lambda summary: not summary["missing"], since=since)

    async def wait(self) -> int:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.process.wait()

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return await self.wait()


@contextlib.asynccontextmanager
async def up(file: Path, data: Path, *options: str, alone: bool = True) -> AsyncIterator[Up]:
    """Run `statusfleet up` on a file; whatever the test does, nothing of it is left behind.

    `alone` says that no other process works in the folder.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "statusfleet.cli.main", "up", str(file)),
        *("--data", str(data), "--output", "json", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    running = Up(process)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(running.read())
            group.create_task(running.read_errors())
            try:
                yield running
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()
    finally:
        await process.communicate()  # where the test failed, nobody has read to the end
        if alone:
            await nobody_left(data)


def children_of(data: Path) -> list[psutil.Process]:
    """Return every live process whose command line names the folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        alive = process.info["status"] != psutil.STATUS_ZOMBIE
        if alive and process.pid != os.getpid() and any(str(data) in word for word in words):
            found.append(process)
    return found


async def nobody_left(data: Path) -> None:
    """Wait until no process of the folder lives."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while children_of(data):  # noqa: ASYNC110 - other people's processes send no events
            await asyncio.sleep(0.05)


def by_name(summary: Json) -> dict[str, Json]:
    """Return the members of a summary by name."""
    return {member["name"]: member for member in summary["members"]}
