"""A port that a web handler serves: opened, no longer listening, closed."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

_IDLE_SECONDS: Final = 120.0
# aiohttp lets calls go on for so long, then cancels them and waits as long again. Peers are told
# that the node quits, and mail is flushed, only after that: a caller must not hold it up.
_CLOSE_SECONDS: Final = 0.5
_BACKLOG: Final = 128
_MAX_PORT: Final = 0xFFFF


class WebEndpoint:
    """An open port; made by `open`."""

    def __init__(self, runner: web.AppRunner, site: web.SockSite, address: tuple[str, int]) -> None:
        self.address = address
        """Host and port as they were bound."""
        self._runner = runner
        self._site = site

    @classmethod
    async def open(
        cls, handler: Callable[[web.Request], Awaitable[web.StreamResponse]], host: str, port: int
    ) -> WebEndpoint:
        """Listen; port 0 takes any that is free, an empty host means every address.

        Raises:
            OSError: the address cannot be used.
        """
        listener = await _listen(host, port)
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", handler)
        application.on_response_prepare.append(_hide_software)
        runner = web.AppRunner(
            application,
            access_log=None,
            handler_cancellation=True,  # who hangs up needs no answer: mining stops
            keepalive_timeout=_IDLE_SECONDS,
            shutdown_timeout=_CLOSE_SECONDS,
        )
        await runner.setup()
        site = web.SockSite(runner, listener)
        await site.start()
        return cls(runner, site, listener.getsockname()[:2])

    async def stop_listening(self) -> None:
        """Take no new connections; calls under way go on."""
        await self._site.stop()

    async def close(self) -> None:
        """Close everything; calls under way have a moment to finish."""
        await self._runner.cleanup()


async def _hide_software(_: web.Request, response: web.StreamResponse) -> None:
    """Strangers need not know which version of which library serves them."""
    response.headers.pop("Server", None)


async def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= _MAX_PORT:  # the resolver would take it modulo 65536
        raise OSError(errno.EADDRNOTAVAIL, f"{port} is no port")
    found = await asyncio.get_running_loop().getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    family, _, _, _, address = found[0]
    return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
