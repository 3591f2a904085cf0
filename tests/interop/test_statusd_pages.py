"""Our mailserver and the reference's, given the same envelopes and asked the same, answer alike.

The same bundles in the same order, byte for byte, the same last hash, the same cursor. Clients page
by these rules through one server after the other, so a difference would lose or repeat mail.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from statusnode.crypto.keys import PrivateKey
from statusnode.mailserver.client import sealed_request
from statusnode.mailserver.request import MailRequest
from statusnode.messages.bloom import FULL_BLOOM, bloom_bytes, bloom_of
from statusnode.messages.envelope import Envelope
from statusnode.messages.mining import Miner
from statusnode.messages.sealing import derive_symmetric_key
from support.mail_talk import Answer, MailTalk, mail_talk
from support.mined_envelopes import mined
from support.reference_scene import MAIL_PASSWORD, MAILSERVER, needs_reference, scene

pytestmark = needs_reference()

# The last has two bits in one byte of its bloom, which the reference keeps one of.
TOPICS = ("a1a2a3a4", "b1b2b3b4", "c1c2c3c4", "00010207")
EVERYTHING = bloom_bytes(FULL_BLOOM)


def bloom(*topics: str) -> bytes:
    return bloom_bytes(bloom_of([bytes.fromhex(topic) for topic in topics]))


@dataclass
class Servers:
    """Two mailservers of one content."""

    ours: MailTalk
    theirs: MailTalk
    mail: list[Envelope]

    async def ask(self, request: MailRequest) -> tuple[Answer, Answer]:
        """Ask both the same under the same id, in the plain form."""
        request_id = secrets.token_bytes(32)
        payload = request.encode_plain(request_id)
        return await self.ask_raw(payload, request_id)

    async def ask_raw(self, payload: bytes, request_id: bytes) -> tuple[Answer, Answer]:
        """Send both these bytes."""
        return tuple(
            await asyncio.gather(
                self.ours.ask(payload, request_id), self.theirs.ask(payload, request_id)
            )
        )  # type: ignore[return-value]


def letters() -> list[Envelope]:
    """Make 3 MB of mail of the last two minutes: many letters, some large, some of one second."""
    sizes = (200, 2_000, 40_000, 300_000)
    return [
        mined(topic, os.urandom(size), ttl=300, age=second)
        for second in range(0, 120, 12)
        for topic, size in zip(itertools.cycle(TOPICS), (*sizes, *sizes[:2]), strict=False)
    ]


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Servers]:
    async with scene(tmp_path) as stage:
        ours, theirs = await asyncio.gather(
            stage.ours(WakuConfig=MAILSERVER), stage.theirs(WakuConfig=MAILSERVER)
        )
        made = Servers(await mail_talk(stage, ours), await mail_talk(stage, theirs), letters())
        for talk in (made.ours, made.theirs):
            talk.post(made.mail)
        yield made


def since(seconds: int, **fields: object) -> MailRequest:
    """Ask for everything of the last seconds."""
    now = int(time.time())
    return replace(MailRequest(lower=now - seconds, upper=now + 30, bloom=EVERYTHING), **fields)  # type: ignore[arg-type]


async def test_every_request_is_answered_with_the_same_bytes(servers: Servers) -> None:
    sent = sorted({letter.sent for letter in servers.mail})
    requests = {
        "everything": since(3600),
        "no end": since(3600, upper=0),
        "one second": since(3600, lower=sent[3], upper=sent[3]),
        "between seconds": since(3600, lower=sent[3] + 1, upper=sent[4] - 1),
        "from a second on": since(3600, lower=sent[5]),
        "up to a second": since(3600, upper=sent[5]),
        "nothing so old": since(3600, upper=sent[0] - 1),
        "limit 1": since(3600, limit=1),
        "limit 2": since(3600, limit=2),
        "limit 5": since(3600, limit=5),
        "as many as there are": since(3600, limit=len(servers.mail)),
        "one more than there are": since(3600, limit=len(servers.mail) + 1),
        "most that may be asked": since(3600, limit=1000),
        "a cursor too short": since(3600, limit=3, cursor=b"\1" * 35),
        "a cursor too long": since(3600, limit=3, cursor=b"\1" * 40),
        "a bloom of nothing": since(3600, bloom=bytes(64)),
        "a bloom of no letter": since(3600, bloom=bloom("12345678")),
        "a bloom of two topics": since(3600, bloom=bloom(*TOPICS[:2])),
        "a limit among those": since(3600, bloom=bloom(*TOPICS[:2]), limit=7),
    }
    requests |= {
        f"bloom and topic {topic}": since(3600, bloom=bloom(topic), topics=(bytes.fromhex(topic),))
        for topic in TOPICS
    }
    for name, request in requests.items():
        ours, theirs = await servers.ask(request)
        assert ours == theirs, name
    everything, _ = await servers.ask(requests["everything"])
    assert {Envelope.parse(raw) for raw in everything.raws} == set(servers.mail)
    assert len(everything.bundles) > 2


@pytest.mark.parametrize("limit", [1, 7, 59, 60, 61])
@pytest.mark.parametrize("wanted", [EVERYTHING, bloom(*TOPICS[1:3])], ids=["all", "two topics"])
async def test_pages_go_on_where_the_other_server_left_off(
    servers: Servers, limit: int, wanted: bytes
) -> None:
    cursor, found = b"", []
    for _ in range(len(servers.mail) + 2):
        # Both are asked with the cursor that both gave: it does not matter whose it is.
        ours, theirs = await servers.ask(since(3600, limit=limit, bloom=wanted, cursor=cursor))
        assert ours == theirs
        found += ours.raws
        cursor = ours.cursor
        if not cursor:
            break
    assert not cursor
    assert len(found) == len(set(found)) == len(servers.mail) * (1 if wanted == EVERYTHING else 0.5)


async def test_sealed_requests_are_answered_with_the_same_bytes(servers: Servers) -> None:
    key, signer, miner = derive_symmetric_key(MAIL_PASSWORD), PrivateKey.generate(), Miner()
    try:
        for request in (
            since(3600),
            since(3600, batch=False),
            since(3600, limit=5),
            since(3600, limit=5, batch=False),
            since(3600, bloom=bloom(TOPICS[0]), topics=(bytes.fromhex(TOPICS[0]),)),
            since(3600, upper=0),
        ):
            sealed = await sealed_request(
                request, recipient=key, signer=signer, min_pow=2e-6, miner=miner, now=time.time()
            )
            ours, theirs = await servers.ask_raw(sealed.payload, sealed.request_id)
            assert ours == theirs, request
    finally:
        await miner.close()


# Where ours departs, for the better.


async def test_topics_narrow_our_answer_where_the_reference_goes_by_the_bloom(
    servers: Servers,
) -> None:
    wanted = bytes.fromhex(TOPICS[0])
    ours, theirs = await servers.ask(since(3600, topics=(wanted,)))
    assert {Envelope.parse(raw).topic for raw in ours.raws} == {wanted}
    assert set(theirs.raws) == {letter.raw for letter in servers.mail}


async def test_the_end_of_time_is_an_end_for_us_and_nothing_for_the_reference(
    servers: Servers,
) -> None:
    ours, theirs = await servers.ask(since(3600, upper=0xFFFFFFFF))
    assert set(ours.raws) == {letter.raw for letter in servers.mail}
    assert theirs.raws == []


async def test_an_invented_cursor_costs_the_reference_a_letter_and_us_none(
    servers: Servers,
) -> None:
    before_all = bytes(36)
    ours, theirs = await servers.ask(since(3600, cursor=before_all))
    assert len(ours.raws) == len(servers.mail)
    assert theirs.raws == ours.raws[1:]
