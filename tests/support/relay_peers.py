"""Peers without sockets and a loop without time, for tests of the relay."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from statusnode.codec import rlp
from statusnode.crypto.keys import PrivateKey, PublicKey
from statusnode.devp2p.protocol import DisconnectReason, PacketHandler
from statusnode.messages.envelope import Envelope
from statusnode.relay.host import RelayHost
from statusnode.relay.packets import PacketCode
from statusnode.relay.settings import RelaySettings
from statusnode.relay.status import WAKU_1, Dialect, StatusOptions

NOW = 1_700_000_000
EVERYTHING = StatusOptions(pow_requirement=0.0, bloom_filter=b"\xff" * 64)


def envelope(
    topic: bytes = b"\x01\x02\x03\x04",
    *,
    size: int = 100,
    ttl: int = 20,
    sent: int = NOW,
    nonce: int | None = None,
    expiry: int | None = None,
) -> Envelope:
    """Make an envelope unlike any other, unless its nonce is given."""
    nonce = next(_nonces) if nonce is None else nonce
    return Envelope.build(sent + ttl if expiry is None else expiry, ttl, topic, bytes(size), nonce)


_nonces = itertools.count(1)


class VirtualLoop:
    """A loop whose time passes only in `advance`."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self._order = itertools.count()
        self._timers: list[tuple[float, int, VirtualTimer]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], object], /) -> VirtualTimer:
        timer = VirtualTimer(callback)
        heapq.heappush(self._timers, (self.now + delay, next(self._order), timer))
        return timer

    def call_soon(self, callback: Callable[[], object], /) -> VirtualTimer:
        return self.call_later(0.0, callback)

    def advance(self, seconds: float) -> None:
        """Let time pass and do all that falls due."""
        end = self.now + seconds
        while self._timers and self._timers[0][0] <= end:
            self.now, _, timer = heapq.heappop(self._timers)
            if not timer.cancelled:
                timer.callback()
        self.now = end


@dataclass
class VirtualTimer:
    """A planned call."""

    callback: Callable[[], object]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class FakePeer:
    """The other end of a session: what was sent to it, and a way to send."""

    public_key: PublicKey = field(default_factory=lambda: PrivateKey.generate().public_key)
    client_name: str = "Test/v1.0.0/none/none"
    remote_address: tuple[str, int] = ("127.0.0.1", 30303)
    inbound: bool = True
    trusted: bool = False
    compresses: bool = False
    write_backlog: int = 0
    packets: list[tuple[int, bytes]] = field(default_factory=list)
    compressed: list[bytes | None] = field(default_factory=list)
    reasons: list[DisconnectReason] = field(default_factory=list)
    handler: PacketHandler | None = None

    def send(self, code: int, payload: bytes, compressed: bytes | None = None) -> None:
        self.packets.append((int(code), payload))
        self.compressed.append(compressed)

    def disconnect(self, reason: DisconnectReason) -> None:
        self.reasons.append(reason)

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def packet(self, code: int, payload: bytes) -> None:
        """Send the relay a packet."""
        assert self.handler is not None
        self.handler.packet_received(code, payload)

    def messages(self, *envelopes: Envelope) -> None:
        """Send the relay envelopes in one packet."""
        self.packet(PacketCode.MESSAGES, rlp.encode_list([one.raw for one in envelopes]))

    def payloads(self, code: PacketCode) -> list[bytes]:
        """What was sent to the peer under `code`."""
        return [payload for sent, payload in self.packets if sent == code]

    @property
    def received(self) -> list[bytes]:
        """The raw envelopes that were sent to the peer, in order, repeats included."""
        bundles = self.payloads(PacketCode.MESSAGES)
        return [raw for payload in bundles for raw in rlp.split_list(payload)]

    @property
    def node_id(self) -> bytes:
        return self.public_key.node_id


class RelayWorld:
    """A relay in virtual time, and its peers; it takes any proof of work unless told otherwise."""

    def __init__(self, settings: RelaySettings | None = None, **sinks: object) -> None:
        self.loop = VirtualLoop()
        self.host = RelayHost(
            settings or RelaySettings(min_pow=0.0),
            now=self.now,
            loop=self.loop,
            **sinks,  # type: ignore[arg-type]
        )

    def now(self) -> float:
        """Unix seconds."""
        return NOW + self.loop.now - 1_000.0

    def advance(self, seconds: float = 0.01) -> None:
        """Let time pass, a tick of the pool each second included."""
        whole, rest = divmod(seconds, 1)
        for step in [1.0] * int(whole) + [rest]:
            self.loop.advance(step)
            self.host.tick()

    def connect(
        self,
        options: StatusOptions | None = EVERYTHING,
        dialect: Dialect = WAKU_1,
        peer: FakePeer | None = None,
    ) -> FakePeer:
        """Bring up a session; with `options` None the peer stays silent."""
        peer = peer or FakePeer()
        for protocol in self.host.subprotocols():
            if protocol.capability == dialect.capability:
                peer.handler = protocol.peer_connected(peer)
        if options is not None:
            peer.packet(PacketCode.STATUS, dialect.encode_status(options))
        return peer
