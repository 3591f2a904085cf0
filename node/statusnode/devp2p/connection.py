"""One TCP connection with a session on it: the asyncio rim around `session`.

Packets go to the subprotocols synchronously, inside the read callback, so nothing queues between
the socket and the pool. Frames written during one iteration of the loop leave in one write. What
waits for a slow peer is bounded: subprotocols are told to pause at a high mark, and at a hard limit
the peer is dropped.

A session that we end with a reason stays half open for up to a second: the reason is written, then
our side is shut, and what the peer still sends is read and thrown away. Closing at once would make
the kernel answer unread data with a reset, which may overtake the reason.

The cost of an idle connection is one timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, cast

from statusnode.crypto.keys import PublicKey
from statusnode.devp2p.addresses import Address, normalise
from statusnode.devp2p.capabilities import Channel
from statusnode.devp2p.counters import Counters
from statusnode.devp2p.events import Ended, Identified, Introduced, Packet
from statusnode.devp2p.limits import Limits
from statusnode.devp2p.messages import describe_reason, known_reason
from statusnode.devp2p.owner import ConnectionOwner, Standing
from statusnode.devp2p.peer import PeerLink
from statusnode.devp2p.protocol import (
    Capability,
    DisconnectReason,
    PacketHandler,
    Subprotocol,
    SubprotocolError,
)
from statusnode.devp2p.session import Session, State

_FLUSH_SIZE: Final = 256 * 1024
"""Bytes of sealed frames after which they are written without waiting for the end of the turn."""


class Connection(asyncio.Protocol):
    """The protocol object of one connection, of either direction."""

    def __init__(
        self,
        session: Session,
        subprotocols: Mapping[Capability, Subprotocol],
        owner: ConnectionOwner,
        *,
        inbound: bool,
        limits: Limits,
        counters: Counters,
        standing: Standing,
    ) -> None:
        self.session = session
        self.inbound = inbound
        self.standing = standing
        self.remote_address: Address = ("", 0)
        self.local_address: Address = ("", 0)
        self._subprotocols = subprotocols
        self._owner = owner
        self._limits = limits
        self._counters = counters
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._handlers: list[PacketHandler] = []
        self._ending: Ended | None = None
        self._detached = False
        self._flush_scheduled = False
        self._pump_scheduled = False
        self._reading = True
        self._writing_paused = False
        self._last_frame = self._ping_due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._written = 0
        self.created = self._loop.time()
        self.settled: Final = asyncio.Event()
        """Set when the session opens, or ends before that."""
        self.closed: Final = asyncio.Event()
        """Set when the session has ended."""

    # What others may ask and do.

    @property
    def public_key(self) -> PublicKey:
        """The peer's identity; there is one once the session is identified, or if we dialed."""
        key = self.session.public_key
        if key is None:
            raise RuntimeError("the peer has not shown its identity yet")
        return key

    @property
    def attached(self) -> bool:
        """Whether there is a socket."""
        return self._transport is not None

    @property
    def is_open(self) -> bool:
        """Whether packets flow."""
        return self.session.state is State.OPEN and self._ending is None

    @property
    def ending(self) -> Ended | None:
        """How the session ended, if it has."""
        return self._ending

    @property
    def write_backlog(self) -> int:
        """Bytes that were sent and that the kernel has not taken yet."""
        waiting = 0 if self._transport is None else self._transport.get_write_buffer_size()
        return self.session.pending + waiting

    def send(
        self, channel: Channel, code: int, payload: bytes, compressed: bytes | None = None
    ) -> None:
        """Write one packet; nothing happens on a session that has ended."""
        if self._ending is not None:
            return
        self.session.send(channel, code, payload, compressed)
        if self.session.pending >= _FLUSH_SIZE:
            self._flush()
        else:
            self._schedule_flush()

    def disconnect(self, reason: DisconnectReason) -> None:
        """End the session and tell the peer why."""
        self._finish(Ended(int(reason), by_peer=False, detail=describe_reason(reason)))

    def abort(self, detail: str) -> None:
        """End the session and close the socket at once."""
        self._finish(Ended(None, by_peer=False, detail=detail))
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self) -> None:
        """Hand no further packets to the subprotocols."""
        if self._reading and self._ending is None and self._transport is not None:
            self._reading = False
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Hand over packets again, first those that were read already."""
        if self._reading or self._ending is not None or self._transport is None:
            return
        self._reading = True
        self._last_frame = self._loop.time()
        self._transport.resume_reading()
        if not self._pump_scheduled:
            self._pump_scheduled = True
            self._loop.call_soon(self._pump_later)

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the handshake and its clock."""
        self._transport = cast("asyncio.Transport", transport)
        self.remote_address = _address(transport, "peername")
        self.local_address = _address(transport, "sockname")
        self._transport.set_write_buffer_limits(self._limits.write_high, self._limits.write_low)
        self._timer = self._loop.call_later(
            self._limits.handshake_seconds, self.abort, "the handshake took too long"
        )
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the socket."""
        self._counters.ingress_bytes += len(data)
        if self._ending is None:
            self.session.receive_data(data)
            self._pump()

    def eof_received(self) -> bool:
        """Close: RLPx knows no half-open sessions."""
        self._finish(Ended(None, by_peer=True, detail="EOF"))
        return False

    def pause_writing(self) -> None:
        """Tell the subprotocols that the peer reads too slowly."""
        self._writing_paused = True
        for handler in self._handlers:
            handler.writing_paused()

    def resume_writing(self) -> None:
        """Tell the subprotocols that they may write again."""
        self._writing_paused = False
        if self._ending is None:
            for handler in self._handlers:
                handler.writing_resumed()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the socket is gone."""
        self._detached = True
        self._finish(Ended(None, by_peer=True, detail="EOF" if exc is None else str(exc)))
        self._cancel_timers()
        self._transport = None
        # Behind the notice that `_finish` may just have scheduled.
        self._loop.call_soon(self._owner.detached, self)

    # Reading.

    def _pump_later(self) -> None:
        self._pump_scheduled = False
        self._pump()

    def _pump(self) -> None:
        """Hand over what the session has understood so far."""
        next_event = self.session.next_event
        frames = self.session.frames_received
        try:
            while self._reading and self._ending is None:
                event = next_event()
                if event is None:
                    break
                if type(event) is Packet:
                    channel, code, payload = event
                    self._handlers[channel].packet_received(code, payload)
                elif isinstance(event, Identified):
                    self._decide(self._owner.identified(self), self.session.greet)
                elif isinstance(event, Introduced):
                    self._introduce(event)
                elif isinstance(event, Ended):
                    self._finish(event)
        except SubprotocolError as error:
            self._subprotocol_failed(error)
        except BaseException:
            self.abort("internal error")
            raise
        if self.session.frames_received != frames:
            self._last_frame = self._loop.time()
        if self.session.pending:
            self._schedule_flush()

    def _decide(self, refusal: DisconnectReason | None, go_on: Callable[[], None]) -> None:
        if refusal is None:
            go_on()
        else:
            self.disconnect(refusal)

    def _introduce(self, event: Introduced) -> None:
        refusal = self._owner.introduced(self) if event.channels else DisconnectReason.USELESS_PEER
        self._decide(refusal, self._open)

    def _open(self) -> None:
        self.session.open()
        self._last_frame = self._loop.time()
        self._ping_due = self._last_frame + self._limits.ping_seconds
        self._tick()
        self._owner.opened(self)
        self.settled.set()
        for channel in self.session.channels:
            handler = self._subprotocols[channel.capability].peer_connected(PeerLink(self, channel))
            self._handlers.append(handler)
            if self._ending is not None:
                break
            if self._writing_paused:
                handler.writing_paused()

    def _subprotocol_failed(self, error: SubprotocolError) -> None:
        reason = DisconnectReason.SUBPROTOCOL_ERROR
        self._finish(
            Ended(int(reason), by_peer=False, detail=str(error) or describe_reason(reason))
        )

    # Writing.

    def _schedule_flush(self) -> None:
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_scheduled = False
        transport = self._transport
        if transport is None or not self.session.pending:
            return
        data = self.session.data_to_send()
        self._counters.egress_bytes += len(data)
        self._written += len(data)
        transport.write(data)
        waiting = transport.get_write_buffer_size()
        if waiting and self._ending is None:
            if waiting > self._limits.write_limit:
                self._counters.slow_peers += 1
                self.abort(f"the peer does not read: {waiting} bytes wait")
            elif self._write_timer is None:
                self._watch_writing(self._written - waiting)

    def _watch_writing(self, taken: int) -> None:
        self._write_timer = self._loop.call_later(
            self._limits.write_seconds, self._check_writing, taken
        )

    def _check_writing(self, taken_before: int) -> None:
        """Drop the peer if the kernel has taken nothing since the last look."""
        self._write_timer = None
        if self._transport is None or self._ending is not None:
            return
        waiting = self._transport.get_write_buffer_size()
        taken = self._written - waiting
        if waiting and taken == taken_before:
            self._counters.slow_peers += 1
            self.abort(f"the peer does not read: {waiting} bytes wait")
        elif waiting:
            self._watch_writing(taken)

    # Time.

    def _tick(self) -> None:
        """Ping when it is due, give up when the peer is silent, sleep until either may be."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ending is not None:
            return
        now = self._loop.time()
        # A peer that we do not read is not silent.
        idle_due = (self._last_frame if self._reading else now) + self._limits.idle_seconds
        if now >= idle_due:
            self.abort("read timeout")
            return
        if now >= self._ping_due:
            self._ping_due = now + self._limits.ping_seconds
            self.session.ping()
            self._schedule_flush()
        self._timer = self._loop.call_at(min(idle_due, self._ping_due), self._tick)

    # Ending.

    def _finish(self, ending: Ended) -> None:
        """End the session once, for whatever cause came first."""
        if self._ending is not None:
            return
        self._ending = ending
        self._cancel_timers()
        ours = ending.reason is not None and not ending.by_peer
        self.session.disconnect(known_reason(ending.reason) if ours else None)
        self._loop.call_soon(self._notify, ending)
        transport = self._transport
        if transport is None or self._detached:
            return
        if not (ours and self.session.pending):
            transport.abort()
            return
        self._flush()
        if not self._reading:
            transport.resume_reading()
        try:
            transport.write_eof()
        except OSError:  # the peer has reset the connection, and asyncio has not noticed yet
            transport.abort()
            return
        self._timer = self._loop.call_later(self._limits.disconnect_seconds, transport.abort)

    def _notify(self, ending: Ended) -> None:
        reason = known_reason(ending.reason)
        handlers, self._handlers = self._handlers, []
        try:
            for handler in handlers:
                handler.connection_lost(reason)
        finally:
            self._owner.ended(self, ending)
            self.settled.set()
            self.closed.set()

    def _cancel_timers(self) -> None:
        for timer in (self._timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._write_timer = None


def _address(transport: asyncio.BaseTransport, name: str) -> Address:
    """Return an IP address and port of a transport; IPv4 never in its IPv6 dress."""
    host, port = transport.get_extra_info(name, ("", 0))[:2]
    return normalise(host), port
