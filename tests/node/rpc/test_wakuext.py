"""`wakuext_…`: a node asks a mailserver on another, and its filters get the answer."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from statusnode.mailserver.request import MailRequest, RequestError
from statusnode.mailserver.response import Completion, Failure
from statusnode.mailserver.sealed import open_request
from statusnode.messages.bloom import bloom_bytes, bloom_of
from statusnode.messages.composing import Draft, compose
from statusnode.messages.envelope import Envelope
from statusnode.messages.sealing import derive_symmetric_key
from statusnode.relay.mail import MailLink
from support.rpc_client import CallError, HttpCaller, http_caller
from support.rpc_node import RpcNode, rpc_node

SECOND = 1_000_000_000
PASSWORD = "status-offline-inbox"
PASSWORD_KEY = derive_symmetric_key(PASSWORD)
TOPIC = bytes.fromhex("cd423760")
CHAT_KEY = bytes(range(32))
NOW = 1_700_000_000.5


@dataclass
class SmallMailServer:
    """Answers what it is asked with all that it has; silent, or refusing, if told so."""

    kept: list[Envelope] = field(default_factory=list)
    asked: list[MailRequest] = field(default_factory=list)
    cursor: bytes = b""
    silent_times: int = 0

    def archive(self, envelope: Envelope) -> None:
        self.kept.append(envelope)

    def request_received(self, link: MailLink, payload: bytes) -> None:
        envelope = Envelope.parse(payload)
        try:
            request = open_request(envelope, PASSWORD_KEY, 0.0)
        except RequestError as error:
            link.send_completion(Failure(envelope.hash, str(error)).encode())
            return
        self.asked.append(request)
        if self.silent_times:
            self.silent_times -= 1
            return
        if self.kept:
            link.send_direct([kept.raw for kept in self.kept])
        link.send_completion(Completion(envelope.hash, bytes(32), self.cursor).encode())

    def link_lost(self, link: MailLink) -> None:
        """Nothing is kept of a peer."""


@dataclass(frozen=True)
class Pair:
    """A node and the mailserver it is connected to."""

    node: RpcNode
    mail: SmallMailServer
    call: HttpCaller
    password_id: str
    url: str

    async def sync(self, *, timeout_ns: int = 30 * SECOND, retries: int = 0, **query: Any) -> Any:
        query = {"mailServerPeer": self.url, "symKeyID": self.password_id, **query}
        conf = {"BaseTimeout": timeout_ns, "MaxRetries": retries}
        return await self.call("wakuext_requestMessagesSync", conf, query)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    mail = SmallMailServer()
    async with (
        rpc_node(tmp_path / "node", now=lambda: NOW) as node,
        rpc_node(tmp_path / "mail", now=lambda: NOW, mail=mail) as server,
        http_caller(node.http_port) as call,
    ):
        node.server.add_static(server.server.self_enode)
        async with asyncio.timeout(60):
            while not all(part.messaging.relay.links() for part in (node, server)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        password_id = await call("waku_generateSymKeyFromPassword", PASSWORD)
        yield Pair(node, mail, call, password_id, str(server.server.self_enode))


async def test_what_a_mailserver_has_reaches_the_filters(pair: Pair) -> None:
    draft = Draft(b"from the archive", CHAT_KEY, TOPIC)
    pair.mail.kept.append(await compose(draft, pair.node.messaging.miner, NOW - 5000))
    key_id = pair.node.messaging.keys.add_symmetric_key(CHAT_KEY)
    criteria = {"symKeyID": key_id, "topics": ["0xcd423760"], "allowP2P": True}
    filter_id = await pair.call("waku_newMessageFilter", criteria)
    pair.mail.cursor = bytes(range(36))

    answer = await pair.sync(topics=["0xcd423760"], limit=10)

    assert answer == {"cursor": bytes(range(36)).hex(), "error": None}
    (message,) = await pair.call("waku_getFilterMessages", filter_id)
    assert base64.b64decode(message["payload"]) == b"from the archive"
    assert message["bool"] is True


@pytest.mark.parametrize(
    ("query", "request_"),
    [
        (
            {"topics": ["0xcd423760", "0x01020304"], "from": 5, "to": 7, "limit": 3},
            MailRequest(
                5,
                7,
                bloom_bytes(bloom_of([TOPIC, b"\x01\x02\x03\x04"])),
                (TOPIC, b"\x01\x02\x03\x04"),
                3,
            ),
        ),
        (
            {"topic": "0xcd423760", "cursor": "ab" * 36},
            MailRequest(
                1_700_000_000 - 86_400,
                1_700_000_000,
                bloom_bytes(bloom_of([TOPIC])),
                cursor=b"\xab" * 36,
            ),
        ),
        (
            {"to": 100},
            MailRequest(0, 100, bloom_bytes(bloom_of([bytes(4)]))),
        ),
    ],
    ids=["all told", "of one topic", "defaults"],
)
async def test_a_query_becomes_a_mail_request(
    pair: Pair, query: dict[str, Any], request_: MailRequest
) -> None:
    await pair.sync(**query)

    assert pair.mail.asked == [request_]


async def test_the_answer_is_not_waited_for_where_nobody_asked_to(pair: Pair) -> None:
    query = {"mailServerPeer": pair.url, "symKeyID": pair.password_id}

    request_id = await pair.call("wakuext_requestMessages", query)

    assert len(bytes.fromhex(request_id[2:])) == 32
    async with asyncio.timeout(60):
        while not pair.mail.asked:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_refusal_shows_as_an_empty_error(pair: Pair) -> None:
    # Without the password the request is sealed for the mailserver's own key.
    answer = await pair.sync(symKeyID="")

    assert answer == {"cursor": "", "error": {}}


async def test_a_silent_mailserver_is_asked_again(pair: Pair) -> None:
    pair.mail.silent_times = 2

    answer = await pair.sync(timeout_ns=SECOND // 5, retries=5, force=True)

    assert answer == {"cursor": "", "error": None}
    assert len(pair.mail.asked) == 3


async def test_a_mailserver_that_stays_silent_is_given_up(pair: Pair) -> None:
    pair.mail.silent_times = 100

    with pytest.raises(CallError, match="failed to request messages after 2 retries"):
        await pair.sync(timeout_ns=SECOND // 100, retries=1, force=True)


async def test_the_same_topics_are_not_asked_for_twice_at_once_unless_forced(pair: Pair) -> None:
    await pair.sync(topics=["0xcd423760"])
    with pytest.raises(CallError, match="another request with the same topics was sent less than"):
        await pair.sync(topics=["0xcd423760"])
    await pair.sync(topics=["0xcd423760"], force=True)
    await pair.sync(topics=["0x01020304"])

    assert len(pair.mail.asked) == 3


async def test_many_requests_at_once_get_their_own_answers(pair: Pair) -> None:
    answers = await asyncio.gather(*(pair.sync(force=True) for _ in range(10)))

    assert answers == [{"cursor": "", "error": None}] * 10


async def test_a_mailserver_that_is_not_connected_is_an_error(pair: Pair) -> None:
    stranger = pair.node.server.self_enode

    with pytest.raises(CallError, match=f"could not find peer with ID: {stranger.node_id.hex()}"):
        await pair.sync(mailServerPeer=str(stranger))
