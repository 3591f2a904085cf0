"""Callers of JSON-RPC, for tests."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

JSON = {"Content-Type": "application/json"}
PATIENCE_SECONDS = 30.0


class CallError(Exception):
    """The answer was an error."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.code = error["code"]


def unpack(answer: dict[str, Any]) -> Any:
    """Return the result of an answer, or raise its error."""
    if "error" in answer:
        raise CallError(answer["error"])
    return answer["result"]


@dataclass
class HttpCaller:
    """Calls methods over HTTP."""

    session: aiohttp.ClientSession
    url: str

    async def ask(self, method: str, params: Any) -> dict[str, Any]:
        """Call a method and return the whole answer."""
        request = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        status, text = await self.post(json.dumps(request).encode())
        assert status == 200, text
        return json.loads(text)

    async def __call__(self, method: str, *params: Any) -> Any:
        """Call a method and return its result."""
        return unpack(await self.ask(method, list(params)))

    async def post(self, body: bytes, headers: dict[str, str] = JSON) -> tuple[int, str]:
        """Post a body and return status and text."""
        async with self.session.post(self.url, data=io.BytesIO(body), headers=headers) as response:
            return response.status, await response.text()


@asynccontextmanager
async def http_caller(port: int) -> AsyncIterator[HttpCaller]:
    """Call the node on this port."""
    timeout = aiohttp.ClientTimeout(PATIENCE_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield HttpCaller(session, f"http://127.0.0.1:{port}/")


@dataclass
class StreamCaller:
    """Calls methods on a unix socket and hears notifications."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    notifications: list[dict[str, Any]] = field(default_factory=list)

    def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.writer.write(data)

    async def next(self) -> Any:
        """Wait for the next line."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return json.loads(await self.reader.readline())

    async def __call__(self, method: str, *params: Any) -> Any:
        """Call a method and return its result; notifications that come before are kept."""
        self.send(json.dumps({"id": 1, "method": method, "params": params}).encode())
        while "id" not in (answer := await self.next()):
            self.notifications.append(answer)
        return unpack(answer)

    async def notification(self) -> dict[str, Any]:
        """Return the next notification."""
        return self.notifications.pop(0) if self.notifications else await self.next()

    async def rest(self) -> bytes:
        """Read until the node closes the connection."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.reader.read()


@asynccontextmanager
async def stream_caller(path: Path) -> AsyncIterator[StreamCaller]:
    """Call the node on this socket."""
    reader, writer = await asyncio.open_unix_connection(path, limit=1 << 24)
    try:
        yield StreamCaller(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()
