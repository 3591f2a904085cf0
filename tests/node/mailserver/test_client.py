"""Asking a mailserver: one conversation, then real ones over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.client import dial
from statusnode.devp2p.protocol import DisconnectReason
from statusnode.devp2p.server import Server, ServerConfig
from statusnode.mailserver.client import (
    MailConversation,
    MailRequestError,
    MailTimeoutError,
    OutgoingRequest,
    fetch,
    fetch_all,
    plain_request,
    sealed_request,
)
from statusnode.mailserver.process import ProcessArchive
from statusnode.mailserver.request import MailRequest
from statusnode.mailserver.response import Completion, Failure
from statusnode.mailserver.server import MailServer, MailSettings
from statusnode.mailserver.sqlite import FILE_NAME
from statusnode.messages.bloom import FULL_BLOOM, bloom_bytes, bloom_of
from statusnode.messages.mining import Miner
from statusnode.messages.sealing import derive_symmetric_key
from statusnode.relay.host import RelayHost
from statusnode.relay.settings import RelaySettings
from support.mailserver_archives import NOW, cursor, in_key_order, mail

ID = b"\x01" * 32
REQUEST = OutgoingRequest(ID, b"", limit=3)
ALL = MailRequest(0, NOW + 100, bloom_bytes(FULL_BLOOM))
PASSWORD = "of the inbox"
WAIT = 30.0


def test_a_conversation_gathers_envelopes_until_its_end() -> None:
    conversation = MailConversation(REQUEST)
    envelopes = [mail() for _ in range(3)]
    conversation.envelopes_received(envelopes[:2])
    conversation.response_received(Completion(b"\x02" * 32).encode())  # of another request
    conversation.envelopes_received(envelopes[2:])
    assert not conversation.over
    with pytest.raises(MailRequestError, match="not ended"):
        conversation.page()
    conversation.response_received(Completion(ID, envelopes[2].hash, cursor(mail())).encode())
    conversation.envelopes_received([mail()])
    assert conversation.over
    page = conversation.page()
    assert page.envelopes == tuple(envelopes)
    assert page.last_hash == envelopes[2].hash
    assert len(page.cursor) == 36


@pytest.mark.parametrize(
    ("feed", "complaint"),
    [
        (lambda c: c.response_received(Failure(ID, "rate limit exceeded").encode()), "rate limit"),
        (lambda c: c.response_received(b"short"), "makes no sense"),
        (lambda c: c.envelopes_received([mail() for _ in range(4)]), "more than was asked for"),
    ],
)
def test_a_bad_answer_is_an_error_with_its_reason(
    feed: Callable[[MailConversation], None], complaint: str
) -> None:
    conversation = MailConversation(REQUEST)
    feed(conversation)
    assert conversation.over
    with pytest.raises(MailRequestError, match=complaint):
        conversation.page()


class World:
    """A mailserver behind a listening node, and a relay with one session to it."""

    mail: MailServer
    relay: RelayHost
    client: RelayHost
    node_id: bytes


@asynccontextmanager
async def world_of(folder: Path, settings: MailSettings) -> AsyncIterator[World]:
    world = World()
    key, client_key = PrivateKey.generate(), PrivateKey.generate()
    world.mail = MailServer(settings, ProcessArchive(folder / FILE_NAME), lambda: NOW)
    await world.mail.start()
    relay_settings = RelaySettings(min_pow=0.0, full_node=True)
    world.relay = RelayHost(relay_settings, lambda: NOW, mail=world.mail)
    config = ServerConfig("test", "127.0.0.1:0")
    node = Server(config, key, world.relay.subprotocols(), lambda: NOW)
    await node.start()
    world.client = RelayHost(relay_settings, lambda: NOW)
    session = await dial(node.self_enode, client_key, world.client.subprotocols(), WAIT)
    world.node_id = key.public_key.node_id
    try:
        async with asyncio.timeout(WAIT):
            while not world.client.links():  # noqa: ASYNC110 - a link's rise has no event
                await asyncio.sleep(0.002)
        yield world
    finally:
        session.disconnect(DisconnectReason.REQUESTED)
        await node.stop()
        await world.mail.stop()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_of(tmp_path, MailSettings(PASSWORD, min_pow=1e-6)) as world:
        yield world


async def test_mail_comes_page_by_page_over_a_real_session(world: World) -> None:
    envelopes = [mail(sent=NOW - n % 7) for n in range(25)]
    for envelope in envelopes:
        world.relay.submit(envelope)

    async def write(after: bytes) -> OutgoingRequest:
        return plain_request(replace(ALL, limit=10, cursor=after))

    pages = [page async for page in fetch_all(world.client, world.node_id, write, WAIT)]
    assert [len(page.envelopes) for page in pages] == [10, 10, 5]
    found = [envelope for page in pages for envelope in page.envelopes]
    assert found == in_key_order(envelopes)
    assert world.mail.counters.archived == 25


async def test_what_a_client_posts_it_can_fetch_at_once_by_topic(world: World) -> None:
    posted = [mail(bytes([n, 64, 128, 0])) for n in range(4)]
    for envelope in posted:
        world.client.submit(envelope)
    wanted = posted[2].topic
    request = replace(ALL, topics=(wanted,), bloom=bloom_bytes(bloom_of([wanted])))
    async with asyncio.timeout(WAIT):
        while True:  # the posts are flushed to the node a moment later
            page = await fetch(world.client, world.node_id, plain_request(request), WAIT)
            if page.envelopes:
                break
    assert page.envelopes == (posted[2],)
    assert page.cursor == b""


async def test_a_sealed_request_opens_with_the_password(world: World) -> None:
    envelope = mail()
    world.relay.submit(envelope)
    miner = Miner()

    async def sealed(key: bytes, request: MailRequest) -> OutgoingRequest:
        signer = PrivateKey.generate()
        return await sealed_request(
            request, recipient=key, signer=signer, min_pow=2e-6, miner=miner, now=NOW
        )

    try:
        key = await asyncio.to_thread(derive_symmetric_key, PASSWORD)
        page = await fetch(world.client, world.node_id, await sealed(key, ALL), WAIT)
        assert page.envelopes == (envelope,)
        unreadable = await sealed(b"\x01" * 32, ALL)
        with pytest.raises(MailRequestError, match="failed to decrypt p2p request"):
            await fetch(world.client, world.node_id, unreadable, WAIT)
        without_bloom = await sealed(key, replace(ALL, bloom=b""))
        with pytest.raises(MailRequestError, match="bloom filter is empty"):
            await fetch(world.client, world.node_id, without_bloom, WAIT)
    finally:
        await miner.close()


async def test_a_megabyte_of_mail_does_not_end_the_session(world: World) -> None:
    envelopes = [mail(size=100_000) for _ in range(25)]
    for envelope in envelopes:
        world.relay.submit(envelope)
    page = await fetch(world.client, world.node_id, plain_request(ALL), WAIT)
    assert page.envelopes == tuple(in_key_order(envelopes))


async def test_a_server_that_says_nothing_is_a_timeout(world: World) -> None:
    with pytest.raises(MailTimeoutError, match=r"no answer within 0\.05 s"):
        await fetch(world.client, world.node_id, OutgoingRequest(ID, b"\xc0"), 0.05)


class Circle:
    """A server whose pages lead to themselves."""

    def on_direct_messages(self, _: object) -> Callable[[], None]:
        return lambda: None

    def on_mail_response(self, callback: Callable[[bytes, bytes], None]) -> Callable[[], None]:
        self.callback = callback
        return lambda: None

    def send_mail_request(self, node_id: bytes, payload: bytes) -> None:
        self.callback(node_id, Completion(ID, bytes(32), b"\x07" * 36).encode())


async def test_pages_that_go_nowhere_end() -> None:
    async def write(after: bytes) -> OutgoingRequest:
        return plain_request(replace(ALL, cursor=after), ID)

    with pytest.raises(MailRequestError, match="leads to itself"):
        async for _ in fetch_all(Circle(), bytes(32), write, WAIT):
            pass
