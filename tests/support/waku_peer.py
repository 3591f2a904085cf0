"""The Waku node of tests/interop/peer, on go-ethereum's p2p package, driven by JSON lines."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from support.go import go_binary

MODULE = Path(__file__).parents[1] / "interop" / "peer"
PATIENCE_SECONDS = 30.0
EVERYTHING: dict[str, Any] = {"pow": 0.0, "bloom": "ff" * 64}
"""Options of a node that wants all there is."""

Event = dict[str, Any]


def envelope(topic: str, data: bytes = b"\x5a" * 300, ttl: int = 60) -> Event:
    """An envelope of now, whose size and lifetime need no mining for a node's usual PoW."""
    expiry = int(time.time()) + ttl
    return {"expiry": expiry, "ttl": ttl, "topic": topic, "data": data.hex(), "nonce": 1}


class WakuPeer:
    """One running program and everything it told."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.events: list[Event] = []
        self._grown = asyncio.Condition()

    async def read_events(self) -> None:
        """Collect events until the program ends."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            async with self._grown:
                self.events.append(json.loads(line))
                self._grown.notify_all()

    def do(self, command: str, **arguments: object) -> None:
        """Give a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": command, **arguments}).encode() + b"\n")

    async def event(self, kind: str, holds: Callable[[Event], bool] = lambda event: True) -> Event:
        """Wait for an event of this kind of which `holds` is true; earlier ones count too."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._grown:
            while True:
                for event in self.events:
                    if event["event"] == kind and holds(event):
                        return event
                await self._grown.wait()

    async def count(self, kind: str, number: int) -> None:
        """Wait until there have been so many events of this kind."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._grown:
            await self._grown.wait_for(
                lambda: sum(event["event"] == kind for event in self.events) >= number
            )

    async def packet(self, code: int) -> Event:
        """Wait for a packet with this code."""
        return await self.event("packet", lambda event: event["code"] == code)

    async def receives(self, wanted: Event, code: int = 1) -> None:
        """Wait for an envelope, byte for byte."""
        await self.event(
            "packet", lambda event: event["code"] == code and wanted in event["envelopes"]
        )

    def has(self, envelope: Event) -> bool:
        """Tell whether the envelope has arrived."""
        return any(envelope in (event.get("envelopes") or ()) for event in self.events)

    async def enode(self) -> str:
        """Return the program's enode."""
        return str((await self.event("ready"))["enode"])


@contextlib.asynccontextmanager
async def waku_peer(
    version: int = 1, *, within: Sequence[str] = (), **options: object
) -> AsyncIterator[WakuPeer]:
    """Run a peer that tells these options in its Status; `within` is a command that runs it."""
    process = await asyncio.create_subprocess_exec(
        *within,
        go_binary(MODULE, "wakupeer"),
        f"-version={version}",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=64 << 20,
    )
    peer = WakuPeer(process)
    reader = asyncio.create_task(peer.read_events())
    try:
        peer.do("status", options=options or EVERYTHING)
        await peer.enode()
        yield peer
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reader
