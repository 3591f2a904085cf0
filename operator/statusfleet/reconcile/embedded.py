"""The server of a laptop: the embedded DNS server on 127.0.0.1, and a reader that asks it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from statusfleet.publishers.embedded import DnsServerError, EmbeddedDnsServer
from statusfleet.publishers.sink import SeenTree, SinkError
from statusfleet.tree.zone import Zone
from statusnode.discovery.dns import TreeReader
from statusnode.discovery.resolver import DnsResolver

HOST: Final = "127.0.0.1"


class LoopbackServer:
    """Serves a zone from this process; starts to listen with the first zone."""

    def __init__(self, port: int | None, kept_port: Callable[[int | None], Awaitable[int]]) -> None:
        """Take a fixed port, or None to use the one that was kept.

        `kept_port` is asked for the kept one (0 for none yet) with None, and told the one in use.
        """
        self._port = port
        self._kept_port = kept_port
        self._server: EmbeddedDnsServer | None = None

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it listens, UDP and TCP; None before the first zone."""
        return self._server.address if self._server is not None else None

    async def serve(self, zone: Zone) -> None:
        """Serve `zone` from the next query on (`ZoneServer`)."""
        if self._server is None:
            self._server = await self._start(zone)
        self._server.publish(zone)

    async def _start(self, zone: Zone) -> EmbeddedDnsServer:
        server = EmbeddedDnsServer(zone.settings)
        wanted = self._port if self._port is not None else await self._kept_port(None)
        try:
            await server.start(HOST, wanted)
        except DnsServerError as error:
            if self._port is not None or wanted == 0:
                raise SinkError(str(error)) from error
            # Nobody asked for this number: it is kept for convenience only.
            try:
                await server.start(HOST, 0)
            except DnsServerError as second:
                raise SinkError(str(second)) from second
        if self._port is None:
            await self._kept_port(server.address[1])
        return server

    async def read_back(self, url: str) -> SeenTree:
        """Read the tree through the server (`ZoneServer`)."""
        reading = await TreeReader(DnsResolver(self.address)).read(url)
        complaints = tuple(f"{problem.label}: {problem.reason}" for problem in reading.problems)
        return SeenTree(reading.root.seq, reading.nodes, complaints)

    async def close(self) -> None:
        """Stop listening (`ZoneServer`)."""
        if self._server is not None:
            await self._server.stop()
            self._server = None
