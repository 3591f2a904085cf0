"""The relay of one node: its pool, its links, and everything that other floors may ask of it.

This module puts the parts together and decides nothing itself: what is taken is `acceptance` and
`standards`, what it does is `intake`, what is sent to whom is `broadcast`, `groups` and `outbox`,
what a packet means is `link`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from statusnode.codec import rlp
from statusnode.devp2p.protocol import (
    Capability,
    PacketHandler,
    PeerConnection,
    Subprotocol,
    SubprotocolError,
)
from statusnode.messages.envelope import Envelope, EnvelopeError
from statusnode.relay.acceptance import Acceptance
from statusnode.relay.broadcast import Broadcaster
from statusnode.relay.confirmations import encode_acknowledgement, encode_response
from statusnode.relay.counters import RelayCounters
from statusnode.relay.intake import Intake
from statusnode.relay.interest import Interest
from statusnode.relay.limiter import Limiter
from statusnode.relay.link import PeerLink
from statusnode.relay.loop import Loop
from statusnode.relay.mail import MailHandler, MailLink
from statusnode.relay.outbox import Outbox
from statusnode.relay.packets import RESERVED_CODES, PacketCode
from statusnode.relay.pool import Pool
from statusnode.relay.settings import RateLimits, RelaySettings
from statusnode.relay.sink import FilterSink
from statusnode.relay.standards import Standards
from statusnode.relay.status import WAKU_0, WAKU_1, Dialect, StatusOptions

_log = logging.getLogger(__name__)

MailResponseCallback = Callable[[bytes, bytes], None]
DirectMessagesCallback = Callable[[bytes, list[Envelope]], None]
Unsubscribe = Callable[[], None]


class NoSuchPeerError(LookupError):
    """No link with that peer is up."""

    def __init__(self, node_id: bytes) -> None:
        super().__init__(f"could not find peer with ID: {node_id.hex()}")


@dataclass(frozen=True, slots=True)
class RelayInfo:
    """What `waku_info` and `admin_nodeInfo` say of the relay."""

    min_pow: float
    max_message_size: int
    pooled: int
    """Envelopes in the pool."""
    pooled_bytes: int


@dataclass(frozen=True, slots=True)
class WakuProtocol:
    """One version of the capability, for devp2p's server."""

    dialect: Dialect
    connect: Callable[[PeerConnection, Dialect], PacketHandler]

    @property
    def capability(self) -> Capability:
        """Name and version."""
        return self.dialect.capability

    @property
    def length(self) -> int:
        """How many packet codes it reserves."""
        return RESERVED_CODES

    def peer_connected(self, peer: PeerConnection) -> PacketHandler:
        """Start on a session; our Status goes out at once."""
        return self.connect(peer, self.dialect)


class RelayHost:
    """The relay. All calls are made in the event loop; none blocks."""

    def __init__(
        self,
        settings: RelaySettings,
        now: Callable[[], float],
        filters: FilterSink | None = None,
        mail: MailHandler | None = None,
        loop: Loop | None = None,
    ) -> None:
        """Make a relay; `now` gives unix seconds, `loop` is the running loop where not given."""
        self.settings = settings
        self.counters = RelayCounters()
        self._now = now
        self._filters = filters
        self._mail = mail
        self._loop = loop or asyncio.get_running_loop()
        self._standards = Standards(settings, now())
        self._pool = Pool(settings.pool_bytes)
        self._broadcaster = Broadcaster(self._standards, self._loop)
        self._intake = Intake(
            self._pool, self._standards, self._broadcaster, self.counters, now, filters, mail
        )
        self._limiter = Limiter(settings.limiter, self.counters) if settings.limiter else None
        self._links: dict[bytes, PeerLink] = {}
        self._mail_callbacks: list[MailResponseCallback] = []
        self._direct_callbacks: list[DirectMessagesCallback] = []

    # --- for the node

    def subprotocols(self) -> list[Subprotocol]:
        """Return what devp2p offers to peers for this relay."""
        return [WakuProtocol(dialect, self._connect) for dialect in (WAKU_0, WAKU_1)]

    async def run(self) -> None:
        """Let envelopes expire, once a second, until cancelled; then send what is pending."""
        try:
            while True:
                now = self._now()
                await asyncio.sleep(math.floor(now) + 1 - now)
                self.tick()
        finally:
            self._broadcaster.flush()

    def tick(self) -> None:
        """Drop what has expired by now."""
        dropped = self._pool.expire(int(self._now()))
        self.counters.envelopes_cached["clear"] += dropped

    def links(self) -> list[PeerLink]:
        """Return the links that are up."""
        return list(self._links.values())

    def info(self) -> RelayInfo:
        """Describe the relay."""
        standards, pool = self._standards, self._pool
        return RelayInfo(standards.min_pow, standards.max_message_size, len(pool), pool.size_bytes)

    def reconfigure(self, settings: RelaySettings) -> None:
        """Take new settings: proof of work, message size, rate limits, soft blacklist, pool size.

        The others need a new relay; they keep their value.

        Raises:
            StandardsError: a value makes no sense; those named before it are in force.
        """
        old = self.settings
        if settings.max_message_size != old.max_message_size:
            self.set_max_message_size(settings.max_message_size)
        if settings.min_pow != old.min_pow:
            self.set_min_pow(settings.min_pow)
        if settings.limiter != old.limiter:
            self._limiter = Limiter(settings.limiter, self.counters) if settings.limiter else None
            self._tell_all(self._limits_options())
        self._pool.limit_bytes = settings.pool_bytes
        self.settings = replace(
            old,
            max_message_size=settings.max_message_size,
            min_pow=settings.min_pow,
            limiter=settings.limiter,
            soft_blacklist=settings.soft_blacklist,
            pool_bytes=settings.pool_bytes,
        )

    # --- for RPC and clients

    def submit(self, envelope: Envelope) -> Acceptance:
        """Post an envelope of our own: judged like any other, then sent to peers."""
        return self._intake.take_own(envelope)

    def send_direct(self, node_id: bytes, envelopes: Sequence[Envelope]) -> None:
        """Send envelopes to one peer alone (127).

        Raises:
            NoSuchPeerError: it is not connected.
        """
        self._link(node_id).send_direct([envelope.raw for envelope in envelopes])

    def send_mail_request(self, node_id: bytes, payload: bytes) -> None:
        """Send a mail request (126), and from now on trust the peer's answers.

        Raises:
            NoSuchPeerError: it is not connected.
        """
        link = self._link(node_id)
        link.trusted = True
        link.request_mail(payload)

    def mark_trusted(self, node_id: bytes) -> None:
        """Take direct messages of this peer as long as it stays connected.

        Raises:
            NoSuchPeerError: it is not connected.
        """
        self._link(node_id).trusted = True

    def on_mail_response(self, callback: MailResponseCallback) -> Unsubscribe:
        """Call `callback(node_id, data)` for each mail response (125) of a trusted peer."""
        return _subscribe(self._mail_callbacks, callback)

    def on_direct_messages(self, callback: DirectMessagesCallback) -> Unsubscribe:
        """Call `callback(node_id, envelopes)` for each direct packet (127) of a trusted peer."""
        return _subscribe(self._direct_callbacks, callback)

    def set_min_pow(self, value: float) -> None:
        """Ask peers for another proof of work.

        Raises:
            StandardsError: it makes no sense.
        """
        self._tell_all(self._standards.set_min_pow(value, self._now()))

    def set_max_message_size(self, size: int) -> None:
        """Take envelopes and packets up to `size` bytes.

        Raises:
            StandardsError: that is more than the protocol allows.
        """
        self._standards.set_max_message_size(size)

    def set_bloom_filter(self, bloom: bytes) -> None:
        """Ask for what matches a bloom filter of 64 bytes.

        Raises:
            BloomError: the size is wrong.
        """
        self._tell_all(self._standards.set_bloom(bloom, self._now()))

    def set_topic_interest(self, topics: Iterable[bytes]) -> None:
        """Ask for these topics and nothing else; nothing happens on a full node.

        Raises:
            StandardsError: they are too many.
        """
        self._tell_all(self._standards.set_topics(topics, self._now()))

    def add_topic_interest(self, topics: Iterable[bytes]) -> None:
        """Ask for these topics too: what the installation of a message filter does.

        Raises:
            StandardsError: they are too many.
        """
        self._tell_all(self._standards.add_topics(topics, self._now()))

    def set_light(self, light: bool) -> None:
        """Call this node a light one in future handshakes; peers of now are not told."""
        self._standards.light = light

    # --- for links (LinkOwner)

    def open_outbox(self, peer: PeerConnection) -> tuple[int, Outbox]:
        """Give a peer a seat in the pool and a way out of it."""
        seat = self._pool.take_seat()
        outbox = Outbox(peer, seat, self._pool, self._standards, self.counters, self._loop)
        return seat, outbox

    def link_up(self, link: PeerLink) -> None:
        """Let a new peer have its backlog, and what comes."""
        self._links[link.node_id] = link
        self._broadcaster.join(link)
        link.outbox.catch_up(link.interest)

    def interest_told(self, link: PeerLink, interest: Interest) -> None:
        """Move a peer to where its new interest belongs, and send what now matches."""
        self._broadcaster.leave(link)
        link.interest = interest
        if not link.outbox.behind:
            self._broadcaster.join(link)
            link.outbox.catch_up(interest)

    def peer_reads_again(self, link: PeerLink) -> None:
        """Go on sending to a peer, from the pool if its outbox was given up."""
        link.outbox.resume()
        if link.outbox.behind:
            self._broadcaster.join(link)
            link.outbox.catch_up(link.interest)

    def admit(self, link: PeerLink, size: int) -> None:
        """Charge a packet.

        Raises:
            SubprotocolError: it is too large, or one too many.
        """
        if self._limiter is not None:
            address = link.peer.remote_address[0]
            if not self._limiter.tolerates(address, link.node_id, size, self._loop.time()):
                raise SubprotocolError("rate limit exceeded")
        if size > self._standards.max_message_size:
            raise SubprotocolError(f"a packet of {size} bytes is too large")

    def messages_received(self, link: PeerLink, payload: bytes) -> None:
        """Take a Messages packet, and confirm it where that is on.

        Raises:
            RLPError, EnvelopeError: it was refused whole.
        """
        complaints = []
        if link.node_id not in self.settings.soft_blacklist:
            try:
                complaints = self._intake.take_packet(link, payload)
            except (rlp.RLPError, EnvelopeError):
                self.counters.envelopes_rejected["invalid_data"] += 1
                raise
        if self.settings.confirmations:
            response = encode_response(payload, complaints)
            link.peer.send(PacketCode.MESSAGE_RESPONSE, response)
            link.peer.send(PacketCode.BATCH_ACKNOWLEDGED, encode_acknowledgement(payload))

    def update_refused(self) -> None:
        """Count a status update that makes no sense."""
        self.counters.envelopes_rejected["invalid_settings_changed"] += 1

    def direct_received(self, link: PeerLink, envelopes: list[Envelope]) -> None:
        """Hand over direct messages, past all checks."""
        for callback in tuple(self._direct_callbacks):
            callback(link.node_id, envelopes)
        if self._filters is not None:
            for envelope in envelopes:
                self._filters.offer(envelope, direct=True)

    def mail_requested(self, link: MailLink, payload: bytes) -> None:
        """Hand over a mail request; without a mailserver it is ignored."""
        if self._mail is not None:
            self._mail.request_received(link, payload)

    def mail_answered(self, link: PeerLink, data: bytes) -> None:
        """Hand over the end of a mailserver's answer."""
        for callback in tuple(self._mail_callbacks):
            callback(link.node_id, data)

    def link_lost(self, link: PeerLink) -> None:
        """Forget a peer."""
        if self._links.get(link.node_id) is link:
            del self._links[link.node_id]
        self._broadcaster.forget(link)
        link.outbox.close()
        self._pool.leave_seat(link.seat)
        if self._mail is not None:
            self._mail.link_lost(link)

    # --- inside

    def _connect(self, peer: PeerConnection, dialect: Dialect) -> PacketHandler:
        limits = self._limits_options()
        own = replace(
            self._standards.advertised(),
            confirmations=self.settings.confirmations,
            packet_limits=limits.packet_limits,
            byte_limits=limits.byte_limits,
        )
        return PeerLink(peer, dialect, own, self)

    def _limits_options(self) -> StatusOptions:
        if self._limiter is None:
            return StatusOptions(packet_limits=RateLimits(), byte_limits=RateLimits())
        settings = self._limiter.settings
        return StatusOptions(packet_limits=settings.packet_limits, byte_limits=settings.byte_limits)

    def _tell_all(self, options: StatusOptions | None) -> None:
        if options is not None:
            for link in self._links.values():
                link.tell(options)

    def _link(self, node_id: bytes) -> PeerLink:
        link = self._links.get(node_id)
        if link is None:
            raise NoSuchPeerError(node_id)
        return link


def _subscribe(callbacks: list[Callable[..., None]], callback: Callable[..., None]) -> Unsubscribe:
    callbacks.append(callback)

    def unsubscribe() -> None:
        if callback in callbacks:
            callbacks.remove(callback)

    return unsubscribe
