"""Direct messages and mail packets: past the pool, between peers that know each other.

125  ← end of a mailserver's answer     126  → mail request     127  ⇄ direct messages
"""

from __future__ import annotations

import asyncio

import pytest

from statusnode.codec import rlp
from statusnode.messages.envelope import Envelope
from statusnode.relay.host import NoSuchPeerError
from statusnode.relay.mail import LinkLostError, MailLink
from statusnode.relay.packets import PacketCode
from support.relay_peers import NOW, FakePeer, RelayWorld, envelope


class Filters:
    def __init__(self) -> None:
        self.offered: list[tuple[Envelope, bool]] = []

    def offer(self, one: Envelope, direct: bool) -> None:
        self.offered.append((one, direct))


class Mail:
    def __init__(self) -> None:
        self.archived: list[Envelope] = []
        self.requests: list[tuple[MailLink, bytes]] = []
        self.lost: list[MailLink] = []

    def archive(self, one: Envelope) -> None:
        self.archived.append(one)

    def request_received(self, link: MailLink, payload: bytes) -> None:
        self.requests.append((link, payload))

    def link_lost(self, link: MailLink) -> None:
        self.lost.append(link)


def direct(*envelopes: Envelope) -> bytes:
    return rlp.encode_list([one.raw for one in envelopes])


def test_filters_and_archive_are_offered_each_envelope_once() -> None:
    filters, mail = Filters(), Mail()
    world = RelayWorld(filters=filters, mail=mail)
    first, second = world.connect(), world.connect()
    one, own = envelope(), envelope()
    first.messages(one, envelope(sent=NOW - 100))
    second.messages(one)
    world.host.submit(own)
    assert filters.offered == [(one, False), (own, False)]
    assert mail.archived == [one, own]


def test_what_a_light_node_receives_counts_as_direct() -> None:
    filters = Filters()
    world = RelayWorld(filters=filters)
    world.host.set_light(True)
    world.connect().messages(one := envelope())
    world.host.submit(own := envelope())
    assert filters.offered == [(one, True), (own, False)]


def test_direct_messages_of_strangers_are_ignored() -> None:
    filters = Filters()
    world = RelayWorld(filters=filters)
    peer = world.connect()
    peer.packet(PacketCode.DIRECT_MESSAGES, direct(envelope()))
    assert filters.offered == []


def test_direct_messages_of_the_trusted_pass_all_checks_and_go_no_further() -> None:
    filters, mail = Filters(), Mail()
    world = RelayWorld(filters=filters, mail=mail)
    peer, other = world.connect(), world.connect()
    heard: list[tuple[bytes, list[Envelope]]] = []
    unsubscribe = world.host.on_direct_messages(lambda *event: heard.append(event))
    world.host.mark_trusted(peer.node_id)
    old = envelope(sent=NOW - 86_400)
    peer.packet(PacketCode.DIRECT_MESSAGES, direct(old))
    unsubscribe()
    peer.packet(PacketCode.DIRECT_MESSAGES, direct(old))
    world.advance(1)
    assert heard == [(peer.node_id, [old])]
    assert filters.offered == [(old, True)] * 2
    assert (other.received, mail.archived, world.host.info().pooled) == ([], [], 0)


def test_bad_direct_messages_are_refused_whole() -> None:
    filters = Filters()
    world = RelayWorld(filters=filters)
    peer = world.connect()
    world.host.mark_trusted(peer.node_id)
    peer.packet(PacketCode.DIRECT_MESSAGES, rlp.encode_list([envelope().raw, b"\xc0"]))
    peer.packet(PacketCode.DIRECT_MESSAGES, envelope().raw)
    assert filters.offered == []


def test_asking_for_mail_is_trusting_the_answer() -> None:
    world = RelayWorld()
    peer = world.connect()
    answers: list[tuple[bytes, bytes]] = []
    unsubscribe = world.host.on_mail_response(lambda *event: answers.append(event))
    peer.packet(PacketCode.MAIL_RESPONSE, rlp.encode(b"early"))
    world.host.send_mail_request(peer.node_id, b"\xc1\x05")
    assert peer.packets[-1] == (126, b"\xc1\x05")
    peer.packet(PacketCode.MAIL_RESPONSE, rlp.encode(b"done"))
    peer.packet(PacketCode.MAIL_RESPONSE, rlp.encode([b"no string"]))
    unsubscribe()
    unsubscribe()
    peer.packet(PacketCode.MAIL_RESPONSE, rlp.encode(b"late"))
    assert answers == [(peer.node_id, b"done")]


def test_trust_ends_with_the_session() -> None:
    filters = Filters()
    world = RelayWorld(filters=filters)
    peer = world.connect()
    world.host.mark_trusted(peer.node_id)
    assert peer.handler is not None
    peer.handler.connection_lost(None)
    world.connect(peer=peer)
    peer.packet(PacketCode.DIRECT_MESSAGES, direct(envelope()))
    assert filters.offered == []


def test_direct_messages_are_sent_as_one_list() -> None:
    world = RelayWorld()
    peer = world.connect()
    one, two = envelope(), envelope()
    world.host.send_direct(peer.node_id, [one, two])
    assert peer.packets[-1] == (127, direct(one, two))


def test_who_is_not_connected_cannot_be_sent_to() -> None:
    host = RelayWorld().host
    missing = FakePeer().node_id
    for call in (
        lambda: host.send_direct(missing, []),
        lambda: host.send_mail_request(missing, b"\xc0"),
        lambda: host.mark_trusted(missing),
    ):
        with pytest.raises(NoSuchPeerError, match=f"could not find peer with ID: {missing.hex()}"):
            call()


def test_mail_requests_go_to_the_mailserver_as_they_came() -> None:
    mail = Mail()
    world = RelayWorld(mail=mail)
    peer = world.connect()
    peer.packet(PacketCode.MAIL_REQUEST, b"anything")
    ((link, payload),) = mail.requests
    assert (link.node_id, payload) == (peer.node_id, b"anything")
    link.send_direct([one := envelope().raw])
    link.send_completion(b"id")
    assert peer.packets[-2:] == [(127, rlp.encode_list([one])), (125, rlp.encode(b"id"))]
    peer.write_backlog = 77
    assert link.write_backlog == 77
    assert peer.handler is not None
    peer.handler.connection_lost(None)
    assert mail.lost == [link]


def test_without_a_mailserver_requests_are_ignored() -> None:
    peer = RelayWorld().connect()
    peer.packet(PacketCode.MAIL_REQUEST, b"anything")
    assert [code for code, _ in peer.packets] == [0]


async def test_a_mailserver_waits_for_a_peer_that_does_not_read() -> None:
    mail = Mail()
    world = RelayWorld(mail=mail)
    peer = world.connect()
    peer.packet(PacketCode.MAIL_REQUEST, b"")
    link = mail.requests[0][0]
    await link.drained()
    assert peer.handler is not None
    peer.handler.writing_paused()
    waiting = asyncio.ensure_future(link.drained())
    await asyncio.sleep(0)
    assert not waiting.done()
    peer.handler.writing_resumed()
    await waiting


async def test_a_mailserver_hears_that_the_peer_went_away() -> None:
    mail = Mail()
    world = RelayWorld(mail=mail)
    peer = world.connect()
    peer.packet(PacketCode.MAIL_REQUEST, b"")
    link = mail.requests[0][0]
    assert peer.handler is not None
    peer.handler.writing_paused()
    waiting = asyncio.ensure_future(link.drained())
    await asyncio.sleep(0)
    peer.handler.connection_lost(None)
    with pytest.raises(LinkLostError):
        await waiting
    with pytest.raises(LinkLostError):
        await link.drained()
