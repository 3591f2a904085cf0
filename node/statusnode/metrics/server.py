"""Serves `/metrics`, `/health` and `/ready` over plain HTTP.

`/health` says whether the process should live: 200 while peers can reach it, else 503. `/ready`
says whether it should be counted on: 200, or 503 with a line for each thing that is missing. What
is served is asked of callables at each request; nothing is kept here.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from statusnode.metrics.text import CONTENT_TYPE, Family, page

_SHUTDOWN_SECONDS: Final = 0.5
_BIND_ATTEMPTS: Final = 20


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the answers come from."""

    families: Callable[[], Iterable[Family]]
    healthy: Callable[[], bool]
    missing: Callable[[], Sequence[str]]
    """What keeps the node from being ready, in words; nothing when it is."""
    sick: str = "the P2P listener is closed"
    """What `/health` says when it is not."""


class MetricsServer:
    """The HTTP server; `start` and `stop` it once."""

    def __init__(self, host: str, port: int, sources: Sources) -> None:
        """Prepare to listen; an empty host is every address, port 0 any free one."""
        self._host = host or None
        self._port = port
        self._sources = sources
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._port

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address is taken or none of this machine's.
        """
        application = web.Application()
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/health", self._health)
        application.router.add_get("/ready", self._ready)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            self._port = await self._listen(runner)
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner

    async def _listen(self, runner: web.AppRunner) -> int:
        """Listen on one port of every address, and return it.

        The system chooses a free port for each family of addresses by itself: the first of them is
        then tried for all.
        """
        port = self._port
        for _ in range(_BIND_ATTEMPTS):
            site = web.TCPSite(runner, self._host, port)
            try:
                await site.start()
            except OSError:
                await site.stop()
                if port == self._port:
                    raise
                port = self._port  # what is free for one family is another program's elsewhere
                continue
            bound, *others = (address[1] for address in runner.addresses)
            if all(other == bound for other in others):
                return int(bound)
            await site.stop()
            port = bound
        raise OSError(errno.EADDRINUSE, "no port is free on every address")

    async def stop(self) -> None:
        """Close; requests under way get a second at most."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _metrics(self, _request: web.Request) -> web.Response:
        text = page(self._sources.families())
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})

    async def _health(self, _request: web.Request) -> web.Response:
        if self._sources.healthy():
            return web.Response(text="OK")
        return web.Response(status=503, text=f"{self._sources.sick}\n")

    async def _ready(self, _request: web.Request) -> web.Response:
        missing = self._sources.missing()
        if missing:
            return web.Response(status=503, text="".join(f"{line}\n" for line in missing))
        return web.Response(text="ready\n")
