"""The listening socket, and how many strangers may stand in the door.

At most so many inbound connections are in their handshake at once; further ones wait in the
kernel's queue, as with the reference. But where a crowd of silent connections takes all the slots,
the reference makes everybody wait five seconds a round; here one that has shown no identity within
half a second makes room. An honest peer sends its first packet together with the last one of TCP,
so it does not notice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from typing import Final

from statusnode.devp2p.addresses import normalise
from statusnode.devp2p.admission import InboundThrottle
from statusnode.devp2p.connection import Connection
from statusnode.devp2p.counters import Counters
from statusnode.devp2p.limits import Limits
from statusnode.devp2p.session import State

DEFAULT_PENDING: Final = 50
_BACKLOG: Final = 1024
_RETRY_SECONDS: Final = 0.5
_log: Final = logging.getLogger(__name__)


def open_socket(address: str) -> socket.socket:
    """Listen on `HOST:PORT`, as Go writes it: an empty host is every address of both families.

    Raises:
        OSError: the address is none, or is taken; the message names it.
    """
    host, colon, port_text = address.rpartition(":")
    if not (colon and port_text.isascii() and port_text.isdigit() and int(port_text) < 65_536):
        raise OSError(f'cannot listen on "{address}": it is not of the form HOST:PORT')
    port = int(port_text)
    host = host.removeprefix("[").removesuffix("]")
    try:
        if not host and socket.has_dualstack_ipv6():
            family, target = socket.AF_INET6, ("", port)
        else:
            found = socket.getaddrinfo(
                host or "0.0.0.0",  # noqa: S104 - what the operator asked for
                port,
                type=socket.SOCK_STREAM,
                flags=socket.AI_PASSIVE,
            )
            # Of a name's addresses the first of IPv4, as Go takes it.
            family, _, _, _, where = min(found, key=lambda entry: entry[0] != socket.AF_INET)
            target = (str(where[0]), port)
        listening = socket.create_server(
            target,
            family=socket.AddressFamily(family),
            backlog=_BACKLOG,
            dualstack_ipv6=not host and family == socket.AF_INET6,
        )
    except OSError as error:
        text = error.strerror or str(error)
        raise OSError(error.errno, f"cannot listen on {address}: {text}") from error
    listening.setblocking(False)
    return listening


class PendingSlots:
    """The inbound connections that are not sessions yet."""

    def __init__(self, size: int, limits: Limits, counters: Counters) -> None:
        self._size = size
        self._limits = limits
        self._counters = counters
        self._pending: dict[Connection, None] = {}
        self._freed = asyncio.Event()

    def add(self, connection: Connection) -> None:
        """Take a slot; there must be room."""
        self._pending[connection] = None

    def release(self, connection: Connection) -> None:
        """Give the slot back, if it has one."""
        if connection in self._pending:
            del self._pending[connection]
            self._freed.set()

    async def room(self) -> None:
        """Wait for a free slot, and make one where a silent connection holds it."""
        while len(self._pending) >= self._size:
            self._freed.clear()
            patience = self._evict()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._freed.wait()

    def _evict(self) -> float | None:
        """End the oldest connection without an identity; else say in how many seconds to ask."""
        now = asyncio.get_running_loop().time()
        for connection in self._pending:
            if connection.session.state is State.SHAKING:
                patience = connection.created + self._limits.pending_grace_seconds - now
                if patience > 0:
                    return patience
                self._counters.evicted += 1
                connection.abort("others wait, and it has shown no identity")
                return None
        return None


class Listener:
    """Accepts connections for as long as there is room."""

    def __init__(
        self,
        listening: socket.socket,
        slots: PendingSlots,
        make: Callable[[], Connection],
        limits: Limits,
        counters: Counters,
    ) -> None:
        self._socket = listening
        self._slots = slots
        self._make = make
        self._counters = counters
        self._throttle = InboundThrottle(limits.throttle_seconds)

    @property
    def address(self) -> tuple[str, int]:
        """The address it is bound to."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    def close(self) -> None:
        """Close the socket, once `run` has ended or where it never began."""
        self._socket.close()

    async def run(self) -> None:
        """Accept until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._slots.room()
            try:
                client, address = await loop.sock_accept(self._socket)
            except OSError as error:
                # Out of descriptors, or the peer went away: neither ends a server.
                _log.warning("Cannot accept a connection", extra={"err": error})
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            await self._admit(loop, client, normalise(address[0]))

    async def _admit(
        self, loop: asyncio.AbstractEventLoop, client: socket.socket, host: str
    ) -> None:
        if not self._throttle.admits(host, loop.time()):
            self._counters.throttled += 1
            client.close()
            return
        self._counters.serves += 1
        connection = self._make()
        self._slots.add(connection)
        try:
            await loop.connect_accepted_socket(lambda: connection, client)
        except OSError as error:
            _log.debug("Cannot serve a connection", extra={"addr": host, "err": error})
            connection.abort(str(error))
            self._slots.release(connection)
            client.close()
