"""Honest peers of a running node: what one posts must reach the other, whatever others do."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator

from statusnode.codec import rlp
from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.client import dial
from statusnode.mailserver.client import MailConversation, MailPage, plain_request
from statusnode.mailserver.request import MailRequest
from statusnode.messages.bloom import FULL_BLOOM, bloom_bytes
from statusnode.messages.envelope import Envelope
from statusnode.records.enode import Enode
from statusnode.relay.packets import PacketCode
from statusnode.relay.status import WAKU_1
from support.devp2p_peers import Recorder, Recording, until
from support.relay_peers import EVERYTHING

PATIENCE = 60.0
MAILSERVER = {
    "Enabled": True,
    "FullNode": True,
    "MinimumPoW": 0,
    "EnableMailServer": True,
    "MailServerPassword": "status-offline-inbox",
}
"""WakuConfig of a mailserver that asks for no proof of work."""


def fresh_envelope(size: int = 16, *, ttl: int = 10, topic: bytes = b"good") -> Envelope:
    """Make an envelope of now; one of up to 16 bytes needs no mining at a node's usual PoW."""
    return Envelope.build(int(time.time()) + ttl, ttl, topic, os.urandom(size), 1)


class HonestPeer:
    """One session of a peer that wants everything."""

    def __init__(self, session: Recording) -> None:
        self._session = session
        self._cut = 0
        self._received: set[bytes] = set()

    def post(self, *envelopes: Envelope) -> None:
        """Send envelopes in one packet."""
        payload = rlp.encode_list([envelope.raw for envelope in envelopes])
        self._session.peer.send(PacketCode.MESSAGES, payload)

    def has(self, envelope: Envelope) -> bool:
        """Tell whether the node has sent this envelope."""
        packets = self._session.packets
        for code, payload in packets[self._cut :]:
            if code == PacketCode.MESSAGES:
                self._received.update(map(bytes, rlp.split_list(payload)))
        self._cut = len(packets)
        return envelope.raw in self._received

    async def receives(self, envelope: Envelope, patience: float = PATIENCE) -> None:
        """Wait for an envelope."""
        await until(lambda: self.has(envelope), patience)

    @property
    def lost(self) -> bool:
        """Whether the session has ended."""
        return bool(self._session.lost)

    async def page(self, cursor: bytes = b"", limit: int = 1000) -> MailPage:
        """Ask the node for mail of the last hour; return one page."""
        now = int(time.time())
        wanted = MailRequest(
            now - 3600, now + 60, bloom_bytes(FULL_BLOOM), limit=limit, cursor=cursor
        )
        request = plain_request(wanted)
        conversation = MailConversation(request)
        seen = len(self._session.packets)
        self._session.peer.send(PacketCode.MAIL_REQUEST, request.payload)

        def over() -> bool:
            nonlocal seen
            for code, payload in self._session.packets[seen:]:
                if code == PacketCode.DIRECT_MESSAGES:
                    envelopes = [Envelope.parse(bytes(raw)) for raw in rlp.split_list(payload)]
                    conversation.envelopes_received(envelopes)
                elif code == PacketCode.MAIL_RESPONSE:
                    conversation.response_received(rlp.as_bytes(rlp.decode(payload)))
                seen += 1
            return conversation.over

        await until(over, PATIENCE)
        return conversation.page()

    async def mail(self) -> set[bytes]:
        """Ask the node for all mail of the last hour; return the envelopes' bytes."""
        found: set[bytes] = set()
        cursor = b""
        while True:
            page = await self.page(cursor)
            found.update(envelope.raw for envelope in page.envelopes)
            if not page.cursor:
                return found
            cursor = page.cursor


@contextlib.asynccontextmanager
async def honest_peer(enode: str) -> AsyncIterator[HonestPeer]:
    """Open a session with the node, Status exchanged."""
    recorder = Recorder()
    recorder.greeting = WAKU_1.encode_status(EVERYTHING)
    node = Enode.parse(enode)
    connection = await dial(node, PrivateKey.generate(), [recorder], PATIENCE)
    try:
        session = await recorder.session()
        await until(lambda: session.packets, PATIENCE)
        yield HonestPeer(session)
    finally:
        connection.abort("the test is over")
        await until(lambda: not connection.attached)


async def passes(sender: HonestPeer, receiver: HonestPeer) -> None:
    """Post an envelope and wait until it has come out at the other peer."""
    envelope = fresh_envelope()
    sender.post(envelope)
    await receiver.receives(envelope)
