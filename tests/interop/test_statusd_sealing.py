"""Messages that one kind of node seals, the other opens, and tells of them the same.

Every message is caught by the same filter on both nodes; what `waku_getFilterMessages` returns must
be equal field by field: payload, padding, signature, topic, proof of work, times, hash.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from statusnode.crypto.keys import PrivateKey
from support.reference_scene import Message, Party, base64_of, needs_reference, scene
from support.statusd_process import eventually

pytestmark = needs_reference()

SIGNER, READER = PrivateKey(b"\x11" * 32), PrivateKey(b"\x22" * 32)
TOPIC = "0xa1a2a3a4"
PAYLOADS = (b"\x00", b"hello", bytes(range(256)), b"z" * 1000, b"long" * 20_000)

either_posts = pytest.mark.parametrize("poster", ["ours", "theirs"])


Fields = dict[str, Any]


@dataclass
class Pair:
    """Two connected nodes that hold the same keys."""

    ours: Party
    theirs: Party

    @property
    def both(self) -> tuple[Party, Party]:
        return self.ours, self.theirs

    def posting(self, poster: str) -> tuple[Party, Party]:
        """Return who posts, and who does not."""
        return self.both if poster == self.ours.name else (self.theirs, self.ours)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with scene(tmp_path) as stage:
        made = Pair(*await asyncio.gather(stage.ours(), stage.theirs()))
        await made.theirs.dial(made.ours)
        for party in made.both:
            party.keys["signer"] = await party.call("waku_addPrivateKey", in_hex(SIGNER.data))
            party.keys["reader"] = await party.call("waku_addPrivateKey", in_hex(READER.data))
            party.keys["symmetric"] = await party.call("waku_addSymKey", in_hex(b"\x33" * 32))
        yield made


def in_hex(data: bytes) -> str:
    return "0x" + data.hex()


def uncompressed(key: PrivateKey) -> str:
    """Write the public key as waku_* does."""
    return base64_of(b"\x04" + key.public_key.data)


@dataclass(frozen=True)
class Way:
    """A way of sealing: what waku_post needs for it, and what a filter needs to open it."""

    seal: Callable[[Party], Fields]
    open: Callable[[Party], Fields]


SYMMETRIC = Way(
    lambda party: {"symKeyID": party.keys["symmetric"]},
    lambda party: {"symKeyID": party.keys["symmetric"], "topics": [TOPIC]},
)
ASYMMETRIC = Way(
    lambda party: {"pubKey": uncompressed(READER)},
    lambda party: {"privateKeyID": party.keys["reader"]},
)


async def post(party: Party, way: Way, payload: bytes, **fields: object) -> str:
    """Post a message; returns the hash of its envelope."""
    usual = {"ttl": 60, "powTime": 5, "powTarget": 0.000002, "topic": TOPIC}
    message = usual | {"payload": base64_of(payload)} | way.seal(party) | fields
    return str(await party.call("waku_post", message))


async def caught_by_both(
    pair: Pair, poster: str, way: Way, payload: bytes, criteria: Fields, **fields: object
) -> Message:
    """Post from one node, catch on both; return what they tell, once it is known to be equal."""
    filters = {
        party.name: await party.call("waku_newMessageFilter", way.open(party) | criteria)
        for party in pair.both
    }
    posting, _ = pair.posting(poster)
    digest = await post(posting, way, payload, **fields)
    (by_ours,) = await pair.ours.hear(filters["ours"])
    (by_theirs,) = await pair.theirs.hear(filters["theirs"])
    assert by_ours == by_theirs
    assert in_hex(base64.b64decode(by_ours["hash"])) == digest
    assert base64.b64decode(by_ours["payload"]) == payload
    return by_ours


@either_posts
async def test_symmetric_messages_are_opened_by_either(pair: Pair, poster: str) -> None:
    for payload in PAYLOADS:
        message = await caught_by_both(pair, poster, SYMMETRIC, payload, {})
        assert message["topic"] == TOPIC
        assert "sig" not in message


@either_posts
async def test_asymmetric_messages_are_opened_by_either(pair: Pair, poster: str) -> None:
    for payload in PAYLOADS:
        message = await caught_by_both(pair, poster, ASYMMETRIC, payload, {"topics": [TOPIC]})
        assert message["recipientPublicKey"] == uncompressed(READER)


@either_posts
@pytest.mark.parametrize("way", [SYMMETRIC, ASYMMETRIC], ids=["symmetric", "asymmetric"])
async def test_signatures_of_one_are_verified_by_the_other(
    pair: Pair, poster: str, way: Way
) -> None:
    posting, _ = pair.posting(poster)
    only_the_signer = {"sig": uncompressed(SIGNER)}
    for payload in PAYLOADS:
        await post(posting, way, b"by somebody else", sig=posting.keys["reader"])
        message = await caught_by_both(
            pair, poster, way, payload, only_the_signer, sig=posting.keys["signer"]
        )
        assert message["sig"] == uncompressed(SIGNER)


@either_posts
async def test_padding_and_lifetime_are_kept(pair: Pair, poster: str) -> None:
    for padding in (b"p", b"pad" * 100):
        message = await caught_by_both(
            pair, poster, SYMMETRIC, b"x", {}, padding=base64_of(padding), ttl=7
        )
        assert base64.b64decode(message["padding"]) == padding
        assert message["ttl"] == 7


@either_posts
async def test_a_public_chat_has_one_key_on_both(pair: Pair, poster: str) -> None:
    posting, listening = pair.posting(poster)
    filter_id = await listening.listen()
    await posting.say(b"to whoever knows the name")
    (message,) = await listening.hear(filter_id)
    assert base64.b64decode(message["payload"]) == b"to whoever knows the name"


@either_posts
async def test_a_direct_message_reaches_a_node_that_trusts_the_sender(
    pair: Pair, poster: str
) -> None:
    posting, listening = pair.posting(poster)
    await listening.call("waku_markTrustedPeer", posting.enode)
    direct, any_way = await listening.listen(allowP2P=True), await listening.listen()
    # The reference hears it with no proof of work at all.
    await posting.say(b"for you alone", targetPeer=listening.enode, powTarget=0.0)
    (message,) = await listening.hear(direct)
    assert message["bool"] is True
    assert await listening.call("waku_getFilterMessages", any_way) == []


@either_posts
async def test_a_direct_message_of_a_stranger_is_not_heard(pair: Pair, poster: str) -> None:
    posting, listening = pair.posting(poster)
    direct = await listening.listen(allowP2P=True)
    await posting.say(b"for you alone", targetPeer=listening.enode)
    await posting.say(b"for all")
    (message,) = await listening.hear(direct)
    assert base64.b64decode(message["payload"]) == b"for all"


async def test_both_tell_of_their_session_alike(pair: Pair) -> None:
    async def seen_by(party: Party) -> dict[str, Any]:
        await eventually(lambda: party.knows(pair.theirs if party is pair.ours else pair.ours))
        (peer,) = await party.call("admin_peers")
        return peer

    by_ours, by_theirs = await seen_by(pair.ours), await seen_by(pair.theirs)
    for member in ("caps", "protocols"):
        assert by_ours[member] == by_theirs[member]
    assert by_ours.keys() == by_theirs.keys()
    assert by_ours["network"]["localAddress"] == by_theirs["network"]["remoteAddress"]
    assert by_ours["network"]["inbound"] is not by_theirs["network"]["inbound"]
