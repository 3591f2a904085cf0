"""The canary's end of one session: waku/1, as little of it as a probe needs.

It tells the member that it wants one topic and nothing else, hands over its own envelope, and notes
what the member sends: envelopes by hash, and the packets of a mail answer. It relays nothing and
keeps no pool. Waku v1 (VAC-6), mail packets VAC-10.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from statusnode.codec import rlp
from statusnode.crypto.keccak import keccak256
from statusnode.devp2p.protocol import (
    Capability,
    DisconnectReason,
    PacketHandler,
    PeerConnection,
    SubprotocolError,
)
from statusnode.relay.messages import Bundle, split_messages
from statusnode.relay.packets import RESERVED_CODES, PacketCode
from statusnode.relay.status import WAKU_1, StatusError, StatusOptions

_MOST_NOTED: Final = (
    4096  # envelopes of a topic that only this run knows: one, unless somebody lies
)


class LinkLostError(ConnectionError):
    """The member ended the session."""


class Link:
    """One session with a member, from its first packet on."""

    def __init__(self, peer: PeerConnection) -> None:
        self._peer = peer
        self._changed = asyncio.Event()
        self._greeted = False
        self._lost: str | None = None
        self._seen: set[bytes] = set()
        self._delivered: set[bytes] = set()
        self._responses: list[bytes] = []

    def packet_received(self, code: int, payload: bytes) -> None:
        """Note what a packet brings (`PacketHandler`)."""
        if not self._greeted and code != PacketCode.STATUS:
            raise SubprotocolError("the first packet is no Status")
        try:
            self._take(code, payload)
        except (rlp.RLPError, StatusError) as error:
            raise SubprotocolError(str(error)) from error
        self._changed.set()

    def _take(self, code: int, payload: bytes) -> None:
        match code:
            case PacketCode.STATUS:
                WAKU_1.parse_status(payload)
                self._greeted = True
            case PacketCode.MESSAGES:
                _note(self._seen, payload)
            case PacketCode.DIRECT_MESSAGES:
                _note(self._delivered, payload)
            case PacketCode.MAIL_RESPONSE:
                self._responses.append(rlp.as_bytes(rlp.decode(payload)))
                del self._responses[:-_MOST_NOTED]

    def writing_paused(self) -> None:
        """Nothing to hold back: the canary sends a few packets (`PacketHandler`)."""

    def writing_resumed(self) -> None:
        """See `writing_paused` (`PacketHandler`)."""

    def connection_lost(self, reason: DisconnectReason | None) -> None:
        """Note why the session ended (`PacketHandler`)."""
        self._lost = reason.name.lower().replace("_", " ") if reason is not None else "no reason"
        self._changed.set()

    def post(self, raw_envelope: bytes) -> None:
        """Hand an envelope to the member."""
        self._peer.send(PacketCode.MESSAGES, Bundle([raw_envelope]).payload)

    def request_mail(self, payload: bytes) -> None:
        """Send a mail request, in its RLP; forgets what an earlier one brought."""
        self._delivered.clear()
        self._responses.clear()
        self._peer.send(PacketCode.MAIL_REQUEST, payload)

    async def greeted(self) -> None:
        """Wait for the member's Status.

        Raises:
            LinkLostError: the session ended first.
        """
        await self._until(lambda: self._greeted)

    async def seen(self, envelope_hash: bytes) -> None:
        """Wait until the member relayed the envelope of that hash.

        Raises:
            LinkLostError: the session ended first.
        """
        await self._until(lambda: envelope_hash in self._seen)

    async def mail_response(self, request_id: bytes) -> bytes:
        """Wait for the end of the answer to the request of that id (32 bytes); return its payload.

        Raises:
            LinkLostError: the session ended first.
        """
        found: list[bytes] = []

        def answered() -> bool:
            found[:] = [data for data in self._responses if request_id in data]
            return bool(found)

        await self._until(answered)
        return found[0]

    def delivered(self, envelope_hash: bytes) -> bool:
        """Tell whether the mail answer held the envelope of that hash."""
        return envelope_hash in self._delivered

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            if self._lost is not None:
                raise LinkLostError(f"the member ended the session ({self._lost})")
            self._changed.clear()
            await self._changed.wait()


class CanaryProtocol:
    """waku/1 for the canary's sessions (`Subprotocol`), interested in one topic."""

    capability: Capability = WAKU_1.capability
    length: int = RESERVED_CODES

    def __init__(self, topic: bytes) -> None:
        self._options = StatusOptions(pow_requirement=0.0, topic_interest=(topic,))
        self.link: Link | None = None

    def peer_connected(self, peer: PeerConnection) -> PacketHandler:
        """Greet the member."""
        self.link = Link(peer)
        peer.send(PacketCode.STATUS, WAKU_1.encode_status(self._options))
        return self.link


def _note(hashes: set[bytes], payload: bytes) -> None:
    for raw in split_messages(payload):
        if len(hashes) < _MOST_NOTED:
            hashes.add(keccak256(raw))
