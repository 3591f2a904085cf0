"""The RPC server of a node: its transports, from start to stop.

HTTP serves the namespaces that it is told to, the unix socket all of them, and a WebSocket port,
which only a call can open, those that the call names. A port that a call closes takes nothing more
at once; what is left of it is cleared away when the next is opened, or at the end.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from statusnode.rpc.api import build
from statusnode.rpc.backend import Backend
from statusnode.rpc.dispatch import Dispatcher
from statusnode.rpc.errors import RpcError
from statusnode.rpc.http import HttpHandler, HttpSettings
from statusnode.rpc.ipc import IpcEndpoint
from statusnode.rpc.nodes import host_and_port
from statusnode.rpc.web import WebEndpoint
from statusnode.rpc.websocket import WebSocketHandler, WebSocketSettings

_log = logging.getLogger(__name__)

_DEFAULT_HOST: Final = "localhost"
_PUBLIC: Final = frozenset({"web3"})


@dataclass(frozen=True, slots=True)
class RpcSettings:
    """What is served from the start."""

    http: HttpSettings
    """Also the defaults of `admin_startRPC`."""
    http_enabled: bool
    ipc_path: Path | None
    """None: no unix socket."""


@dataclass(frozen=True, slots=True)
class _Port:
    """An open port and what serves it."""

    endpoint: WebEndpoint
    handler: HttpHandler | WebSocketHandler

    def __str__(self) -> str:
        return host_and_port(self.endpoint.address)


class RpcServer:
    """All transports of one node."""

    def __init__(self, backend: Backend, settings: RpcSettings) -> None:
        self._settings = settings
        self._namespaces = build(backend, self)
        self._http: _Port | None = None
        self._websocket: _Port | None = None
        self._ipc: IpcEndpoint | None = None
        self._closing: list[_Port] = []

    @property
    def http_address(self) -> tuple[str, int] | None:
        """Host and port that HTTP is served on; None where it is not."""
        return self._http.endpoint.address if self._http else None

    async def start(self) -> None:
        """Open the transports of the settings.

        Raises:
            OSError: one cannot be opened; those opened before it are closed again.
        """
        try:
            if self._settings.ipc_path is not None:
                self._ipc = IpcEndpoint(Dispatcher(self._namespaces), self._settings.ipc_path)
                await self._ipc.open()
                _log.info("IPC endpoint opened", extra={"url": str(self._settings.ipc_path)})
            if self._settings.http_enabled:
                await self._open_http(self._settings.http)
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close everything; HTTP calls under way have two seconds to finish."""
        for port in (self._http, self._websocket):
            if port is not None:
                await self._retire(port)
        self._http = self._websocket = None
        await self._clear_away()
        if self._ipc is not None:
            await self._ipc.close()
            self._ipc = None

    # What `admin_…` may do.

    async def start_http(
        self,
        host: str | None,
        port: int | None,
        cors: str | None,
        modules: str | None,
        virtual_hosts: str | None,
    ) -> None:
        """Open HTTP where it is not; what is not given is taken from the settings.

        Raises:
            RpcError: it is open already, or cannot be opened.
        """
        if self._http is not None:
            raise RpcError(f"HTTP RPC already running on {self._http}")
        own = self._settings.http
        settings = HttpSettings(
            host=own.host or _DEFAULT_HOST if host is None else host,
            port=own.port if port is None else port,
            modules=own.modules if modules is None else _names(modules),
            virtual_hosts=own.virtual_hosts if virtual_hosts is None else _names(virtual_hosts),
            cors_origins=own.cors_origins if cors is None else _names(cors),
        )
        with _told_to_the_caller():
            await self._clear_away()
            await self._open_http(settings)

    async def stop_http(self) -> None:
        """Close HTTP; the call that asked for it is still answered.

        Raises:
            RpcError: it is not open.
        """
        if self._http is None:
            raise RpcError("HTTP RPC not running")
        port, self._http = self._http, None
        await self._retire(port)

    async def start_websocket(
        self, host: str | None, port: int | None, origins: str | None, modules: str | None
    ) -> None:
        """Open a WebSocket port; without a port any that is free.

        Raises:
            RpcError: it is open already, or cannot be opened.
        """
        if self._websocket is not None:
            raise RpcError(f"WebSocket RPC already running on {self._websocket}")
        settings = WebSocketSettings(
            host=_DEFAULT_HOST if host is None else host,
            port=port or 0,
            modules=frozenset() if modules is None else _names(modules),
            origins=frozenset() if origins is None else _names(origins),
        )
        handler = WebSocketHandler(self._dispatcher(settings.modules), settings)
        with _told_to_the_caller():
            await self._clear_away()
            endpoint = await WebEndpoint.open(handler.handle, settings.host, settings.port)
        self._websocket = _Port(endpoint, handler)
        _log.info("WebSocket endpoint opened", extra={"url": f"ws://{self._websocket}"})

    async def stop_websocket(self) -> None:
        """Close the WebSocket port and its connections.

        Raises:
            RpcError: it is not open.
        """
        if self._websocket is None:
            raise RpcError("WebSocket RPC not running")
        port, self._websocket = self._websocket, None
        await self._retire(port)

    # Inside.

    async def _open_http(self, settings: HttpSettings) -> None:
        handler = HttpHandler(self._dispatcher(settings.modules), settings)
        endpoint = await WebEndpoint.open(handler.handle, settings.host, settings.port)
        self._http = _Port(endpoint, handler)
        _log.info("HTTP endpoint opened", extra={"url": f"http://{self._http}"})

    def _dispatcher(self, modules: frozenset[str]) -> Dispatcher:
        # As in go-ethereum, an empty list means what may be public.
        wanted = modules or _PUBLIC
        return Dispatcher(space for space in self._namespaces if space.name in wanted)

    async def _retire(self, port: _Port) -> None:
        self._closing.append(port)
        await port.endpoint.stop_listening()
        port.handler.stop()

    async def _clear_away(self) -> None:
        while self._closing:
            await self._closing.pop().endpoint.close()


@contextmanager
def _told_to_the_caller() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RpcError(str(error)) from error


def _names(text: str) -> frozenset[str]:
    """Read a comma-separated list."""
    return frozenset(name.strip() for name in text.split(",")) - {""}
