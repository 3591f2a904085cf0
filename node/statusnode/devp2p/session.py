"""One RLPx session as a state machine: bytes and decisions in, events and bytes out.

Everything that moves the state is in this file, and the file knows neither sockets nor clocks; time
limits are the business of whoever owns the socket. It knows which side dialed only until the keys
are agreed.

A session stops twice to be told how to go on: after the encryption handshake, when it knows with
whom it talks (so that a refusal can be its first frame, as peers expect), and after the Hellos,
when it knows what both can speak. Until then it reads no further. The transitions::

    SHAKING ──keys──▶ IDENTIFIED ──greet──▶ GREETED ──hello──▶ INTRODUCED ──open──▶ OPEN
       └──────────────────┴───────────── end ──┴───────────────────┴─────────────────┴──▶ ENDED

Compression follows the **peer's** Hello: raw snappy blocks for every payload after it if its
version is 5 or more, whatever it was told by us (RLPx, "p2p Capability"; go-ethereum).
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

from cramjam import DecompressionError, snappy

from statusnode.codec import rlp
from statusnode.crypto.keys import PrivateKey, PublicKey
from statusnode.devp2p.capabilities import Channel, Offer, match, routes
from statusnode.devp2p.events import Ended, Event, Identified, Introduced, Packet
from statusnode.devp2p.frame import MAX_FRAME_SIZE, FrameError, FrameReader, FrameWriter
from statusnode.devp2p.handshake import Ephemeral, HandshakeError, Initiator, Responder, Secrets
from statusnode.devp2p.messages import (
    BASE_LENGTH,
    EMPTY,
    MAX_HELLO_SIZE,
    P2P_VERSION,
    SNAPPY_VERSION,
    BaseCode,
    Hello,
    IdentityError,
    MessageError,
    describe_reason,
    parse_disconnect,
    serialize_disconnect,
)
from statusnode.devp2p.protocol import DisconnectReason


class State(Enum):
    """Where a session stands."""

    SHAKING = auto()
    IDENTIFIED = auto()
    GREETED = auto()
    INTRODUCED = auto()
    OPEN = auto()
    ENDED = auto()


class Trigger(Enum):
    """What moves a session."""

    KEYS = auto()
    GREET = auto()
    HELLO = auto()
    OPEN = auto()
    END = auto()


TRANSITIONS: Final[dict[State, dict[Trigger, State]]] = {
    State.SHAKING: {Trigger.KEYS: State.IDENTIFIED, Trigger.END: State.ENDED},
    State.IDENTIFIED: {Trigger.GREET: State.GREETED, Trigger.END: State.ENDED},
    State.GREETED: {Trigger.HELLO: State.INTRODUCED, Trigger.END: State.ENDED},
    State.INTRODUCED: {Trigger.OPEN: State.OPEN, Trigger.END: State.ENDED},
    State.OPEN: {Trigger.END: State.ENDED},
    State.ENDED: {},
}


class SessionStateError(Exception):
    """The owner of a session asked for something that its state does not allow."""


class Session:
    """One side of one session."""

    def __init__(
        self,
        key: PrivateKey,
        client_name: str,
        offers: Sequence[Offer],
        *,
        remote_key: PublicKey | None = None,
        ephemeral: Ephemeral | None = None,
    ) -> None:
        """Begin as the side that dials `remote_key`, or as the one that was dialed if it is None.

        `ephemeral` is given by tests alone.
        """
        self.state = State.SHAKING
        self.public_key: PublicKey | None = remote_key
        """The peer's identity, proved once the session is past SHAKING."""
        self.hello: Hello | None = None
        self.channels: tuple[Channel, ...] = ()
        self.compresses = False
        self.frames_received = 0
        self.pending = 0
        """Bytes that `data_to_send` would return."""
        self._key = key
        self._client_name = client_name
        self._offers = tuple(offers)
        self._events: deque[Event] = deque()
        self._out: list[bytes | memoryview] = []
        self._routes: list[tuple[int, int]] = []
        self._reader: FrameReader | None = None
        self._writer: FrameWriter | None = None
        self._handshake: Initiator | Responder
        if remote_key is None:
            self._handshake = Responder(key, ephemeral)
        else:
            self._handshake = initiator = Initiator(key, remote_key, ephemeral)
            self._write(initiator.auth)

    # What the socket does.

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the socket; `next_event` tells what they mean."""
        if self._reader is not None:
            self._reader.feed(data)
        elif self.state is State.SHAKING:
            try:
                secrets = self._handshake.feed(data)
            except HandshakeError as error:
                self._events.append(self._break(str(error)))
                return
            if secrets is not None:
                self._agree(secrets)

    def data_to_send(self) -> bytes:
        """Return, once, everything that waits to be written."""
        data = b"".join(self._out)
        self._out.clear()
        self.pending = 0
        return data

    def next_event(self) -> Event | None:
        """Return what happened next; None if more bytes or a decision are needed first."""
        if self._events:
            return self._events.popleft()
        if self._reader is None:
            return None
        try:
            if self.state is State.OPEN:
                return self._next_packet(self._reader)
            if self.state is State.GREETED:
                return self._read_hello(self._reader)
        except (FrameError, MessageError, rlp.RLPError, DecompressionError) as error:
            return self._break(str(error))
        return None

    # What the owner decides.

    def greet(self) -> None:
        """Go on with this peer: say Hello."""
        self._move(Trigger.GREET)
        hello = Hello(
            P2P_VERSION,
            self._client_name,
            tuple(sorted(offer.capability for offer in self._offers)),
            0,
            self._key.public_key.data,
        )
        self._write_frame(BaseCode.HELLO, hello.serialize())

    def open(self) -> None:
        """Go on with these channels: packets flow from now on."""
        self._move(Trigger.OPEN)

    def send(
        self, channel: Channel, code: int, payload: bytes, compressed: bytes | None = None
    ) -> None:
        """Queue a packet; `compressed` may hold the snappy form of `payload`.

        Raises:
            SessionStateError: the session is not open.
            FrameError: the packet is too large for a frame.
            ValueError: the channel has no such code.
        """
        if self.state is not State.OPEN:
            raise SessionStateError(f"a packet cannot be sent in the state {self.state.name}")
        if not 0 <= code < channel.length:
            raise ValueError(f"{channel.capability} has {channel.length} codes, {code} is none")
        if len(payload) > MAX_FRAME_SIZE:
            raise FrameError(f"a packet of {len(payload)} bytes, where {MAX_FRAME_SIZE} are most")
        if self.compresses:
            payload = bytes(snappy.compress_raw(payload)) if compressed is None else compressed
        self._write_frame(channel.offset + code, payload)

    def ping(self) -> None:
        """Queue a Ping.

        Raises:
            SessionStateError: the session is not open.
        """
        if self.state is not State.OPEN:
            raise SessionStateError(f"no ping in the state {self.state.name}")
        self._write_base(BaseCode.PING, EMPTY)

    def disconnect(self, reason: DisconnectReason | None) -> None:
        """End the session. The reason is written where there are keys to write it with.

        `None` and `NETWORK_ERROR` are never written: the socket just closes.
        """
        if self.state is State.ENDED:
            return
        if self._writer is not None and reason not in {None, DisconnectReason.NETWORK_ERROR}:
            assert reason is not None  # noqa: S101 - narrows the type
            self._write_base(BaseCode.DISCONNECT, serialize_disconnect(reason))
        self._move(Trigger.END)

    # How bytes become events.

    def _agree(self, secrets: Secrets) -> None:
        handshake = self._handshake
        if isinstance(handshake, Responder):
            self._write(handshake.ack)
        self._reader = FrameReader(secrets)
        self._reader.limit = MAX_HELLO_SIZE + 1
        self._writer = FrameWriter(secrets)
        if handshake.rest:
            self._reader.feed(handshake.rest)
        self.public_key = secrets.remote_key
        self._move(Trigger.KEYS)
        self._events.append(Identified(secrets.remote_key))

    def _read_hello(self, reader: FrameReader) -> Event | None:
        frame = reader.read()
        if frame is None:
            return None
        self.frames_received += 1
        body, size = frame
        code, start = _read_code(body, size)
        payload = body[start:size]
        if code == BaseCode.DISCONNECT:
            return self._disconnected(payload)
        if code != BaseCode.HELLO:
            return self._break(f"code {code} where a Hello should be")
        try:
            hello = Hello.parse(payload)
        except IdentityError as error:
            return self._refuse(DisconnectReason.INVALID_IDENTITY, str(error))
        self.hello = hello
        self.compresses = hello.version >= SNAPPY_VERSION
        if self.public_key is None or hello.public_key != self.public_key.data:
            detail = "the Hello names another identity than the handshake"
            return self._refuse(DisconnectReason.UNEXPECTED_IDENTITY, detail)
        self.channels = match(self._offers, hello.capabilities)
        self._routes = routes(self.channels)
        reader.limit = MAX_FRAME_SIZE
        self._move(Trigger.HELLO)
        return Introduced(hello, self.channels)

    def _next_packet(self, reader: FrameReader) -> Event | None:
        while (frame := reader.read()) is not None:
            self.frames_received += 1
            body, size = frame
            first = body[0] if size else 0
            code, start = (first, 1) if 0 < first < 0x80 else _read_code(body, size)
            if code >= BASE_LENGTH:
                route = code - BASE_LENGTH
                if route >= len(self._routes):
                    return self._break(f"code {code} lies outside all capabilities")
                channel, code = self._routes[route]
                if self.compresses:
                    return Packet(channel, code, _decompress(memoryview(body)[start:size]))
                return Packet(channel, code, body[start:size])
            event = self._base_message(code, body[start:size])
            if event is not None:
                return event
        return None

    def _base_message(self, code: int, payload: bytes) -> Event | None:
        if code == BaseCode.DISCONNECT:
            return self._disconnected(payload)
        if self.compresses:
            payload = _decompress(payload)
        if code == BaseCode.PING:
            self._write_base(BaseCode.PONG, EMPTY)
        return None

    def _disconnected(self, payload: bytes) -> Ended:
        if self.compresses:
            # A peer that refuses our Hello says so before it turns compression on.
            with contextlib.suppress(DecompressionError, FrameError):
                payload = _decompress(payload)
        reason = parse_disconnect(payload)
        self._move(Trigger.END)
        return Ended(reason, by_peer=True, detail=describe_reason(reason))

    def _refuse(self, reason: DisconnectReason, detail: str) -> Ended:
        self.disconnect(reason)
        return Ended(int(reason), by_peer=False, detail=detail)

    def _break(self, detail: str) -> Ended:
        self._move(Trigger.END)
        return Ended(None, by_peer=False, detail=detail)

    def _move(self, trigger: Trigger) -> None:
        try:
            self.state = TRANSITIONS[self.state][trigger]
        except KeyError:
            raise SessionStateError(f"{trigger.name} in the state {self.state.name}") from None

    # How packets become bytes.

    def _write_base(self, code: BaseCode, payload: bytes) -> None:
        self._write_frame(code, bytes(snappy.compress_raw(payload)) if self.compresses else payload)

    def _write_frame(self, code: int, payload: bytes) -> None:
        if self._writer is None:
            raise SessionStateError(f"no frame can be written in the state {self.state.name}")
        pieces = self._writer.seal(_CODES[code] if code < 0x80 else rlp.encode(code), payload)
        self._out += pieces
        self.pending += sum(map(len, pieces))

    def _write(self, data: bytes) -> None:
        self._out.append(data)
        self.pending += len(data)


_CODES: Final = [b"\x80", *(bytes((code,)) for code in range(1, 0x80))]


def _read_code(body: bytes, size: int) -> tuple[int, int]:
    """Read the packet code in front of a body; return it and where the payload begins.

    Raises:
        RLPError: there is no canonical integer.
    """
    is_list, start, end = rlp.item_bounds(body, 0, size)
    if is_list:
        raise rlp.RLPError("a packet code is an integer, not a list")
    return rlp.as_uint(body[start:end]), end


def _decompress(block: bytes | memoryview) -> bytes:
    """Undo raw snappy, never beyond what a frame may hold.

    Raises:
        DecompressionError: it is no snappy block.
        FrameError: it claims to be larger than a payload may be.
    """
    size = snappy.decompress_raw_len(block)
    if size > MAX_FRAME_SIZE:
        raise FrameError(f"a snappy block of {size} bytes, where {MAX_FRAME_SIZE} are most")
    return bytes(snappy.decompress_raw(block))
