"""Bad mail requests, put to both kinds of mailserver: the same sentences, the same silence."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from statusnode.codec import rlp
from statusnode.crypto.keys import PrivateKey
from statusnode.mailserver.request import MailRequest
from statusnode.messages import payload, sealing
from statusnode.messages.envelope import HEADER_SIZE, Envelope
from statusnode.messages.mining_worker import Search
from statusnode.messages.pow import target_bits
from support.mail_talk import Answer, MailTalk, mail_talk
from support.reference_scene import MAIL_PASSWORD, MAILSERVER, needs_reference, scene

pytestmark = needs_reference()

KEY = sealing.derive_symmetric_key(MAIL_PASSWORD)
SIGNER = PrivateKey(b"\x11" * 32)
NOW = int(time.time())
GOOD = MailRequest(lower=NOW - 60, upper=NOW + 60, bloom=b"\xff" * 64)
ITEMS: tuple[rlp.Encodable, ...] = (NOW - 60, NOW + 60, b"\xff" * 64, [], 10, b"", True)


def sealed(
    content: bytes, *, key: bytes = KEY, signer: PrivateKey | None = SIGNER, worth: float = 2e-6
) -> Envelope:
    """Seal a payload as a request, good or bad, with no more proof of work than `worth`."""
    data = sealing.seal_symmetric(payload.encode(content, padding=b"", signer=signer), key)
    ttl, expiry = 50, NOW + 50
    if not worth:
        # Dear for what it proves: a life of years.
        ttl, expiry = 1 << 28, NOW + (1 << 28)
    search = Search(
        rlp.encode([expiry, ttl, bytes(4), data]), target_bits(worth, HEADER_SIZE + len(data), ttl)
    )
    while not search.run():
        pass
    return Envelope.build(expiry, ttl, bytes(4), data, search.nonce)


def with_item(index: int, value: rlp.Encodable) -> bytes:
    """Encode a good request's items but for one."""
    return rlp.encode([*ITEMS[:index], value, *ITEMS[index + 1 :]])


@dataclass
class Servers:
    """Two mailservers, and a peer of each."""

    ours: MailTalk
    theirs: MailTalk

    async def ask(self, payload: bytes, request_id: bytes) -> tuple[Answer, Answer]:
        """Send both these bytes."""
        ours = await self.ours.ask(payload, request_id)
        return ours, await self.theirs.ask(payload, request_id)

    async def ask_plainly(self, request: MailRequest) -> tuple[Answer, Answer]:
        """Ask both the same in the plain form."""
        request_id = secrets.token_bytes(32)
        return await self.ask(request.encode_plain(request_id), request_id)


@asynccontextmanager
async def mailservers(folder: Path, **settings: object) -> AsyncIterator[Servers]:
    async with scene(folder) as stage:
        config = MAILSERVER | settings
        ours, theirs = await asyncio.gather(
            stage.ours(WakuConfig=config), stage.theirs(WakuConfig=config)
        )
        yield Servers(await mail_talk(stage, ours), await mail_talk(stage, theirs))


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Servers]:
    async with mailservers(tmp_path) as both:
        yield both


async def test_bad_sealed_requests_are_refused_with_the_same_bytes(servers: Servers) -> None:
    bad = {
        "no proof of work": sealed(GOOD.encode(), worth=0.0),
        "another password": sealed(GOOD.encode(), key=b"\x44" * 32),
        "nobody's signature": sealed(GOOD.encode(), signer=None),
        "the range reversed": sealed(replace(GOOD, lower=9, upper=8).encode()),
        "the range reversed by a default": sealed(
            replace(GOOD, lower=NOW + 9_000, upper=0).encode()
        ),
        "no bloom": sealed(replace(GOOD, bloom=b"").encode()),
        "topics, but no bloom": sealed(replace(GOOD, bloom=b"", topics=(b"\1\2\3\4",)).encode()),
        "too high a limit": sealed(replace(GOOD, limit=1001).encode()),
        "the highest limit": sealed(replace(GOOD, limit=0xFFFFFFFF).encode()),
        "no items": sealed(b"\xc0"),
        "five items, as drafts had it": sealed(rlp.encode(ITEMS[:5])),
        "six items, as drafts had it": sealed(rlp.encode(ITEMS[:6])),
        "eight items": sealed(rlp.encode([*ITEMS, b""])),
    }
    for name, envelope in bad.items():
        ours, theirs = await servers.ask(envelope.raw, envelope.hash)
        assert theirs.refusal, name
        assert ours == theirs, name


async def test_undecodable_sealed_requests_are_refused_in_words_of_our_own(
    servers: Servers,
) -> None:
    """The reference quotes its decoder, with the names of Go's types; the beginning is the same."""
    good = rlp.encode(ITEMS)
    bad = {
        "nothing": b"",
        "garbage": b"\xde\xad\xbe\xef",
        "text": b"\x83abc",
        "half a list": good[:-1],
        "bytes after it": good + b"\0",
        "lower of 5 bytes": with_item(0, 1 << 32),
        "upper with a zero before": with_item(1, b"\0\1"),
        "bloom is a list": with_item(2, []),
        "topics are text": with_item(3, b"\1\2\3\4"),
        "a topic is a list": with_item(3, [[]]),
        "limit is a list": with_item(4, []),
        "cursor is a list": with_item(5, []),
        "batch is 2": with_item(6, 2),
    }
    for name, content in bad.items():
        envelope = sealed(content)
        for answer in await servers.ask(envelope.raw, envelope.hash):
            assert answer.refusal.startswith("failed to decode data: "), name


async def test_bad_plain_requests_are_refused_with_the_same_bytes(servers: Servers) -> None:
    bad = {
        "the range reversed": replace(GOOD, lower=9, upper=8),
        "no bloom": replace(GOOD, bloom=b""),
        "too high a limit": replace(GOOD, limit=1001),
        "everything wrong": MailRequest(lower=9, upper=8, bloom=b"", limit=1001),
        "two things wrong": replace(GOOD, bloom=b"", limit=1001),
    }
    for name, request in bad.items():
        ours, theirs = await servers.ask_plainly(request)
        assert theirs.refusal, name
        assert ours == theirs, name


async def test_ids_of_other_sizes_are_fitted_alike(servers: Servers) -> None:
    for request_id in (b"", b"\x07", secrets.token_bytes(31), secrets.token_bytes(40)):
        fitted = request_id[-32:].rjust(32, b"\0")
        ours, theirs = await servers.ask(GOOD.encode_plain(request_id), fitted)
        assert not theirs.refusal
        assert ours == theirs


async def test_what_is_no_request_gets_no_answer_from_either(servers: Servers) -> None:
    for talk in (servers.ours, servers.theirs):
        for garbage in ("c0", "80", "83646566", "c3010203", "c88080808080808080"):
            talk.peer.do("send", code=126, payload=garbage)
    ours, theirs = await servers.ask_plainly(GOOD)
    assert not theirs.refusal
    assert ours == theirs
    for talk in (servers.ours, servers.theirs):
        assert [event["code"] for event in talk.peer.events if event["event"] == "packet"] == [
            *(0, 125)
        ]


async def test_whoever_asks_too_soon_is_refused_alike_and_nobody_else(tmp_path: Path) -> None:
    async with mailservers(tmp_path, MailServerRateLimit=900) as servers:
        # A refused request is none: it does not count.
        await servers.ask_plainly(replace(GOOD, bloom=b""))
        first, again = [await servers.ask_plainly(GOOD) for _ in range(2)]
        assert [answer.refusal for answer in first] == ["", ""]
        assert [answer.refusal for answer in again] == ["rate limit exceeded"] * 2
        assert again[0] == again[1]


async def test_the_window_begins_with_the_last_answer_not_the_last_refusal(tmp_path: Path) -> None:
    async with mailservers(tmp_path, MailServerRateLimit=2) as servers:
        for talk in (servers.ours, servers.theirs):
            await until_answered(talk)
            # Asking all the time would never end, if refusals began the window anew.
            await until_answered(talk)


async def until_answered(talk: MailTalk) -> None:
    while True:
        request_id = secrets.token_bytes(32)
        answer = await talk.ask(GOOD.encode_plain(request_id), request_id)
        if not answer.refusal:
            return
        assert answer.refusal == "rate limit exceeded"
        await asyncio.sleep(0.2)
