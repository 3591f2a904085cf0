"""One peer link: from the first Status to the end of the session.

The link knows the order of packets and what each means for *this* peer; what it means for the node
is the owner's. States and what a packet does in each:

    state      Status     other known codes   unknown codes   oversized
    NEW        → UP       session ends        session ends    (not looked at)
    UP         ignored    handled             ignored         session ends
    LOST       nothing arrives any more

Errors in Status end the session (reason 16); later ones are counted and logged, and the session
goes on, as peers of status-go expect. There is no timeout for the first packet: a peer that stays
silent is a connection that costs a socket, and devp2p's own limits count it.
"""

from __future__ import annotations

import asyncio
import logging
from enum import Enum
from typing import Protocol

from statusnode.codec import rlp
from statusnode.devp2p.protocol import DisconnectReason, PeerConnection, SubprotocolError
from statusnode.messages.envelope import Envelope, EnvelopeError
from statusnode.relay.interest import Interest
from statusnode.relay.mail import LinkLostError, MailLink
from statusnode.relay.messages import split_messages
from statusnode.relay.outbox import Outbox
from statusnode.relay.packets import PacketCode
from statusnode.relay.status import Dialect, StatusError, StatusOptions

_log = logging.getLogger(__name__)


class LinkState(Enum):
    """Where a link stands."""

    NEW = "waits for the peer's Status"
    UP = "relays"
    LOST = "is over"


class LinkOwner(Protocol):
    """What a link asks of the relay."""

    def open_outbox(self, peer: PeerConnection) -> tuple[int, Outbox]:
        """Give a peer that has told its Status a seat in the pool and a way out of it."""
        ...

    def link_up(self, link: PeerLink) -> None: ...

    def interest_told(self, link: PeerLink, interest: Interest) -> None:
        """The peer wants something else from now on; `link.interest` still is the old one."""
        ...

    def peer_reads_again(self, link: PeerLink) -> None: ...

    def admit(self, link: PeerLink, size: int) -> None:
        """Charge a packet of `size` bytes.

        Raises:
            SubprotocolError: it is too large, or one too many.
        """
        ...

    def messages_received(self, link: PeerLink, payload: bytes) -> None: ...

    def update_refused(self) -> None:
        """Count a status update that makes no sense."""
        ...

    def direct_received(self, link: PeerLink, envelopes: list[Envelope]) -> None: ...

    def mail_requested(self, link: MailLink, payload: bytes) -> None: ...

    def mail_answered(self, link: PeerLink, data: bytes) -> None: ...

    def link_lost(self, link: PeerLink) -> None: ...


class PeerLink:
    """The relay's side of one session: devp2p's `PacketHandler`, a mailserver's `MailLink`."""

    def __init__(
        self, peer: PeerConnection, dialect: Dialect, own: StatusOptions, owner: LinkOwner
    ) -> None:
        self.peer = peer
        self.node_id = peer.public_key.node_id
        self.state = LinkState.NEW
        self.interest = Interest()
        self.trusted = False
        """Whether direct messages and mail responses of this peer are taken."""
        self.told: set[bytes] = set()
        self.seat = 0
        self.outbox: Outbox
        self._dialect = dialect
        self._owner = owner
        self._paused = False
        self._waiters: list[asyncio.Future[None]] = []
        self._complained = False
        peer.send(PacketCode.STATUS, dialect.encode_status(own))

    # --- from devp2p

    def packet_received(self, code: int, payload: bytes) -> None:
        """Take one packet.

        Raises:
            SubprotocolError: the session must end.
        """
        if self.state is LinkState.NEW:
            self._greeted(code, payload)
            return
        self._owner.admit(self, len(payload))
        try:
            self._handle(code, payload)
        except (rlp.RLPError, EnvelopeError, StatusError) as error:
            self._complain(code, error)

    def writing_paused(self) -> None:
        """The peer reads too slowly."""
        self._paused = True
        if self.state is LinkState.UP:
            self.outbox.pause()

    def writing_resumed(self) -> None:
        """The peer reads again."""
        self._paused = False
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
        if self.state is LinkState.UP:
            self._owner.peer_reads_again(self)

    def connection_lost(self, reason: DisconnectReason | None) -> None:
        """The session has ended."""
        was_up, self.state = self.state is LinkState.UP, LinkState.LOST
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(LinkLostError("the peer went away"))
        self._waiters.clear()
        if was_up:
            _log.debug("link lost peer=%s reason=%s", self.node_id.hex(), reason)
            self._owner.link_lost(self)

    # --- from the node

    def tell(self, options: StatusOptions) -> None:
        """Send a status update."""
        self.peer.send(PacketCode.STATUS_UPDATE, self._dialect.encode_update(options))

    def request_mail(self, payload: bytes) -> None:
        """Send a mail request (126), RLP already."""
        self.peer.send(PacketCode.MAIL_REQUEST, payload)

    # --- from a mailserver

    @property
    def write_backlog(self) -> int:
        """Bytes that were sent and that the kernel has not taken yet."""
        return self.peer.write_backlog

    def send_direct(self, raw_envelopes: list[bytes]) -> None:
        """Send raw envelopes as one direct-message packet (127)."""
        self.peer.send(PacketCode.DIRECT_MESSAGES, rlp.encode_list(raw_envelopes))

    def send_completion(self, data: bytes) -> None:
        """Send the end of an answer (125)."""
        self.peer.send(PacketCode.MAIL_RESPONSE, rlp.encode(data))

    async def drained(self) -> None:
        """Wait until the peer has read enough for more to be sent.

        Raises:
            LinkLostError: it went away.
        """
        if self.state is LinkState.LOST:
            raise LinkLostError("the peer went away")
        if self._paused:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    # --- packets

    def _greeted(self, code: int, payload: bytes) -> None:
        if code != PacketCode.STATUS:
            raise SubprotocolError(f"packet {code} came before the Status")
        try:
            self.interest = self.interest.changed_by(self._dialect.parse_status(payload))
        except StatusError as error:
            raise SubprotocolError(f"bad Status: {error}") from error
        self.seat, self.outbox = self._owner.open_outbox(self.peer)
        self.outbox.paused = self._paused
        self.state = LinkState.UP
        self._owner.link_up(self)

    def _handle(self, code: int, payload: bytes) -> None:
        match code:
            case PacketCode.MESSAGES:
                self._owner.messages_received(self, payload)
            case PacketCode.STATUS_UPDATE:
                self._updated(payload)
            case PacketCode.DIRECT_MESSAGES if self.trusted:
                envelopes = [Envelope.parse(raw) for raw in split_messages(payload)]
                self._owner.direct_received(self, envelopes)
            case PacketCode.MAIL_RESPONSE if self.trusted:
                self._owner.mail_answered(self, rlp.as_bytes(rlp.decode(payload)))
            case PacketCode.MAIL_REQUEST:
                self._owner.mail_requested(self, payload)
            case _:
                pass  # confirmations that nobody waits for, and packets of versions to come

    def _updated(self, payload: bytes) -> None:
        try:
            interest = self.interest.changed_by(self._dialect.parse_update(payload))
        except StatusError:
            self._owner.update_refused()
            raise
        if interest != self.interest:
            self._owner.interest_told(self, interest)

    def _complain(self, code: int, error: Exception) -> None:
        """Log the first bad packet of a link for people, all others for those who look closely."""
        level = logging.DEBUG if self._complained else logging.WARNING
        self._complained = True
        _log.log(level, "bad packet code=%d peer=%s error=%s", code, self.node_id.hex(), error)
