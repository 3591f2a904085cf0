"""JSON-RPC over a unix socket: a session whose input is JSON values one after another.

The socket file belongs to the node's user alone; every namespace can be called on it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from statusnode.rpc.dispatch import Dispatcher
from statusnode.rpc.session import Session
from statusnode.rpc.stream import JsonStream

_log = logging.getLogger(__name__)

# Room for the largest message that a relay may be told to take, in base64.
MAX_REQUEST: Final = 16 << 20
_CHUNK: Final = 1 << 16
_OWNER_ONLY: Final = 0o177
_DIRECTORY_MODE: Final = 0o751


class IpcEndpoint:
    """An open socket; made by `open_ipc`, closed by `close`."""

    def __init__(self, dispatcher: Dispatcher, path: Path) -> None:
        self._dispatcher = dispatcher
        self._path = path
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen at the path, in place of whatever socket a node before left there.

        Raises:
            OSError: the path cannot be a socket.
        """
        self._path.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        try:
            # The file must never be anybody else's, not even between its making and a chmod.
            umask = os.umask(_OWNER_ONLY)
            try:
                listener.bind(os.fspath(self._path))
            finally:
                os.umask(umask)
            self._server = await asyncio.start_unix_server(self._serve, sock=listener)
        except OSError:
            listener.close()
            raise

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - streams run their callback as a task
        self._sessions.add(task)
        try:
            await Session(self._dispatcher, _Transport(writer)).run(_documents(reader))
        finally:
            self._sessions.discard(task)
            writer.close()

    async def close(self) -> None:
        """End all connections and remove the socket."""
        if self._server is None:
            return
        self._server.close()
        sessions = tuple(self._sessions)
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        self._path.unlink(missing_ok=True)


async def _documents(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    stream = JsonStream(MAX_REQUEST)
    while chunk := await reader.read(_CHUNK):
        for document in stream.feed(chunk):
            yield document


class _Transport:
    """The way out of a session on a socket."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def abort(self) -> None:
        self._writer.transport.abort()
