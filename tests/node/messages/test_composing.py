"""From a message to an envelope that others open and accept."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from statusnode.crypto.keys import PrivateKey
from statusnode.messages import payload, sealing
from statusnode.messages.composing import Draft, compose
from statusnode.messages.mining import Miner, TargetMissedError

NOW = 1_600_000_000.9
KEY = bytes(range(32))
SIGNER = PrivateKey(b"\x11" * 32)
OWNER = PrivateKey(b"\x22" * 32)
TOPIC = bytes.fromhex("cd423760")


@pytest.fixture
async def miner() -> AsyncIterator[Miner]:
    miner = Miner()
    yield miner
    await miner.close()


async def test_a_signed_message_for_a_key_is_opened_with_it(miner: Miner) -> None:
    draft = Draft(b"hello", KEY, TOPIC, signer=SIGNER, ttl_seconds=10)

    envelope = await compose(draft, miner, NOW)

    assert (envelope.expiry, envelope.ttl, envelope.topic) == (1_600_000_010, 10, TOPIC)
    opened = payload.decode(sealing.open_symmetric(envelope.data, KEY))
    assert (opened.content, opened.signer) == (b"hello", SIGNER.public_key)


async def test_a_message_for_a_person_needs_no_topic(miner: Miner) -> None:
    envelope = await compose(Draft(b"hello", OWNER.public_key), miner, NOW)

    opened = payload.decode(sealing.open_asymmetric(envelope.data, OWNER))
    assert (opened.content, opened.signer) == (b"hello", None)
    assert envelope.topic == bytes(4)


async def test_without_a_ttl_it_lives_for_fifty_seconds(miner: Miner) -> None:
    envelope = await compose(Draft(b"", KEY), miner, NOW)

    assert (envelope.expiry, envelope.ttl) == (1_600_000_050, 50)


async def test_the_proof_of_work_is_what_was_asked_for(miner: Miner) -> None:
    draft = Draft(b"", KEY, TOPIC, ttl_seconds=10, pow_target=0.5, pow_time_seconds=60)

    assert (await compose(draft, miner, NOW)).pow >= 0.5


async def test_without_a_target_there_is_no_mining(miner: Miner) -> None:
    assert (await compose(Draft(b"", KEY), miner, NOW)).nonce == 0


async def test_a_negative_target_mines_for_the_whole_time_and_expires_later(miner: Miner) -> None:
    draft = Draft(b"", KEY, ttl_seconds=10, pow_target=-1, pow_time_seconds=1)

    assert (await compose(draft, miner, NOW)).expiry == 1_600_000_011


async def test_a_target_without_time_is_refused(miner: Miner) -> None:
    with pytest.raises(TargetMissedError):
        await compose(Draft(b"", KEY, pow_target=0.002), miner, NOW)


async def test_padding_of_the_caller_is_kept(miner: Miner) -> None:
    envelope = await compose(Draft(b"content", KEY, padding=b"padding"), miner, NOW)

    opened = payload.decode(sealing.open_symmetric(envelope.data, KEY))
    assert opened.padding == b"padding"
