"""An authoritative DNS server for one tree, over UDP and TCP, in the caller's event loop.

A new zone replaces the old one between two queries, so no reader ever sees half of it. The server
never resolves, transfers or takes updates; what it says is decided in `answers`.

Costs and bounds: about 0.2 ms of processor time a query; at most `max_connections` TCP connections
of one buffered message each, closed after `idle_seconds`; a client that asks over UDP more than its
rate is told to use TCP (an answer no larger than its question), so a forged address gains nothing.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, cast

from statusfleet.publishers.answers import Reply, Verdict, ZoneIndex, answer, answer_truncated
from statusfleet.tree.zone import Zone, ZoneSettings

_LENGTH_SIZE: Final = 2
_BIND_ATTEMPTS: Final = 20


class DnsServerError(Exception):
    """The server cannot listen where it was told to."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client, and all of them, may cost.

    `udp_rate` is full answers a second to one address, `udp_burst` how many at once; addresses
    beyond `max_clients` push out the one that has been silent longest.
    """

    max_connections: int = 128
    idle_seconds: float = 10.0
    udp_rate: float = 500.0
    udp_burst: float = 2000.0
    max_clients: int = 10_000


@dataclass(slots=True)
class Counters:
    """Running totals since the server was made."""

    udp: int = 0
    tcp: int = 0
    truncated: int = 0
    rate_limited: int = 0
    verdicts: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(Verdict, 0))


class EmbeddedDnsServer:
    """Serve what `publish` was given last; before that, SERVFAIL."""

    def __init__(self, settings: ZoneSettings, limits: Limits | None = None) -> None:
        self.counters = Counters()
        self._limits = limits or Limits()
        self._zone = Zone(settings, serial=0, texts={})
        self._index = ZoneIndex(self._zone)
        self._udp: list[asyncio.DatagramTransport] = []
        self._tcp: list[asyncio.Server] = []
        self._connections: set[_TcpConnection] = set()
        self._address: tuple[str, int] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """The first address and the port, which is the same for UDP and TCP of all addresses.

        Raises:
            RuntimeError: the server was not started.
        """
        if self._address is None:
            raise RuntimeError("the DNS server was not started")
        return self._address

    def publish(self, zone: Zone) -> None:
        """Serve `zone` from the next query on, as the whole of what there is."""
        self._zone, self._index = zone, ZoneIndex(zone)

    def doubt(self) -> None:
        """Say of no name any more that it does not exist, until the next `publish`.

        For a server that may have missed a change: a resolver remembers a missing name, and asks
        another server instead where this one fails.
        """
        if self._index.sure:
            self._index = ZoneIndex(self._zone, sure=False)

    async def start(self, host: str, port: int = 0, *, also: Iterable[str] = ()) -> None:
        """Listen on an IP address, and on others; port 0 lets the system choose a free one.

        Raises:
            DnsServerError: the address cannot be used.
        """
        if self._address is not None:
            raise RuntimeError("the DNS server was started already")
        for _ in range(_BIND_ATTEMPTS):
            try:
                await self._listen((host, *also), port)
            except OSError as error:
                await self.stop()
                if port == 0 and error.errno == errno.EADDRINUSE:
                    continue  # what the system chose is another program's by UDP, or elsewhere
                number = error.errno or 0  # negative for names that are no address
                reason = os.strerror(number) if number > 0 else str(error)
                raise DnsServerError(
                    f"the DNS server cannot listen on {', '.join((host, *also))}, port {port}: "
                    f"{reason}"
                ) from error
            return
        raise DnsServerError(f"no port of {host} is free for both UDP and TCP")

    async def stop(self) -> None:
        """Close every socket; afterwards the server may be started again."""
        self._address = None
        for endpoint in self._udp:
            endpoint.abort()
        for listener in self._tcp:
            listener.close()
        for connection in tuple(self._connections):
            connection.abort()
        for listener in self._tcp:
            await listener.wait_closed()
        self._udp, self._tcp = [], []
        # Transports close their sockets in the loop's next round.
        await asyncio.sleep(0)

    async def _listen(self, hosts: Iterable[str], port: int) -> None:
        loop = asyncio.get_running_loop()
        for host in hosts:
            listener = await loop.create_server(self._new_connection, host, port)
            self._tcp.append(listener)
            bound_host, port = listener.sockets[0].getsockname()[:2]
            endpoint, _ = await loop.create_datagram_endpoint(
                lambda: _UdpEndpoint(self._answer_datagram, self._limits),
                local_addr=(bound_host, port),
            )
            self._udp.append(endpoint)
            self._address = self._address or (bound_host, port)

    def _new_connection(self) -> _TcpConnection:
        return _TcpConnection(self._answer_message, self._connections, self._limits)

    def _answer_datagram(self, query: bytes, *, limited: bool) -> bytes:
        self.counters.udp += 1
        self.counters.rate_limited += limited
        if limited:
            return self._count(answer_truncated(query))
        return self._count(answer(query, self._index, datagram=True))

    def _answer_message(self, query: bytes) -> bytes:
        self.counters.tcp += 1
        return self._count(answer(query, self._index, datagram=False))

    def _count(self, reply: Reply) -> bytes:
        self.counters.truncated += reply.truncated
        self.counters.verdicts[reply.verdict] += 1
        return reply.wire


class _RateLimiter:
    """A bucket of answers for each client address, in order of last use."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, client: str, now: float) -> bool:
        limits = self._limits
        level, filled = self._buckets.pop(client, (limits.udp_burst, now))
        level = min(limits.udp_burst, level + (now - filled) * limits.udp_rate)
        allowed = level >= 1
        self._buckets[client] = (level - 1 if allowed else level, now)
        if len(self._buckets) > limits.max_clients:
            self._buckets.popitem(last=False)
        return allowed


class _UdpEndpoint(asyncio.DatagramProtocol):
    """Each datagram is answered at once; what the socket cannot take is lost, as UDP allows."""

    def __init__(self, handle: Callable[..., bytes], limits: Limits) -> None:
        self._handle = handle
        self._limiter = _RateLimiter(limits)
        self._loop = asyncio.get_running_loop()
        self._blocked = False
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        limited = not self._limiter.allows(addr[0], self._loop.time())
        reply = self._handle(data, limited=limited)
        if reply and not self._blocked and self._transport is not None:
            self._transport.sendto(reply, addr)

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False


class _TcpConnection(asyncio.Protocol):
    """Messages behind two bytes of length (RFC 7766), answered in order.

    A client that does not read its answers is not read from either, and is closed when idle.
    """

    def __init__(
        self,
        handle: Callable[[bytes], bytes],
        connections: set[_TcpConnection],
        limits: Limits,
    ) -> None:
        self._handle = handle
        self._connections = connections
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._blocked = False
        self._transport: asyncio.Transport | None = None
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if len(self._connections) >= self._limits.max_connections:
            self._transport.abort()
            return
        self._connections.add(self)
        self._wait()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._answer_whole_messages()

    def eof_received(self) -> bool:
        return self._blocked  # unless answers are still to be made, close once all is written

    def pause_writing(self) -> None:
        self._blocked = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._blocked = False
        if self._transport is not None:
            self._transport.resume_reading()
        self._answer_whole_messages()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self._idle is not None:
            self._idle.cancel()
        self._transport = None

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _answer_whole_messages(self) -> None:
        while not self._blocked and self._transport is not None:
            size = int.from_bytes(self._buffer[:_LENGTH_SIZE], "big")
            end = _LENGTH_SIZE + size
            if len(self._buffer) < max(end, _LENGTH_SIZE):
                return
            query = bytes(self._buffer[_LENGTH_SIZE:end])
            del self._buffer[:end]
            reply = self._handle(query)
            if not reply:
                self._transport.abort()
                return
            self._wait()
            self._transport.write(len(reply).to_bytes(_LENGTH_SIZE, "big") + reply)

    def _wait(self) -> None:
        """Start the idle time anew."""
        if self._idle is not None:
            self._idle.cancel()
        self._idle = self._loop.call_later(self._limits.idle_seconds, self.abort)
