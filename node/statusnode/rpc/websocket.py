"""JSON-RPC over WebSocket: a session whose every message is one document.

As with go-ethereum, a browser's page is let in by its origin only; programs, which send none,
always are.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from aiohttp import WSMsgType, web

from statusnode.rpc.dispatch import Dispatcher
from statusnode.rpc.session import Session

_log = logging.getLogger(__name__)

MAX_MESSAGE: Final = 5 << 20


@dataclass(frozen=True, slots=True)
class WebSocketSettings:
    """Where WebSocket is served, which namespaces, and to whom."""

    host: str
    port: int
    """0: any that is free."""
    modules: frozenset[str]
    origins: frozenset[str] = frozenset()
    """Origins of web pages that may connect; `*` for all. None given: this machine's own."""


class WebSocketHandler:
    """Serves every connection to a port, whatever its path."""

    def __init__(self, dispatcher: Dispatcher, settings: WebSocketSettings) -> None:
        self._dispatcher = dispatcher
        own = {"http://localhost", f"http://{socket.gethostname()}"}
        self._origins = frozenset(origin.lower() for origin in settings.origins or own)
        self._open: set[_Transport] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection to its end."""
        origin = request.headers.get("Origin")
        if origin is not None and not self._allows(origin):
            _log.warning("Rejected WebSocket connection origin=%s", origin)
            raise web.HTTPForbidden
        connection = web.WebSocketResponse(max_msg_size=MAX_MESSAGE)
        await connection.prepare(request)
        transport = _Transport(request, connection)
        self._open.add(transport)
        try:
            await Session(self._dispatcher, transport).run(_documents(connection))
        finally:
            self._open.discard(transport)
        await connection.close()
        return connection

    def _allows(self, origin: str) -> bool:
        return "*" in self._origins or origin.lower() in self._origins

    def stop(self) -> None:
        """End all connections."""
        for transport in tuple(self._open):
            transport.abort()


async def _documents(connection: web.WebSocketResponse) -> AsyncIterator[bytes]:
    async for received in connection:
        if received.type is WSMsgType.TEXT:
            yield received.data.encode()
        elif received.type is WSMsgType.BINARY:
            yield received.data


class _Transport:
    """The way out of a WebSocket session."""

    def __init__(self, request: web.Request, connection: web.WebSocketResponse) -> None:
        self._request = request
        self._connection = connection

    async def write(self, data: bytes) -> None:
        await self._connection.send_str(data.decode())

    def abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()
