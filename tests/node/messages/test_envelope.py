"""Envelopes on the wire.

ed                                   list of 45 bytes
  84 5f5e1078                        expiry 1,600,000,120
  78                                 TTL 120 s
  84 01020300                        topic
  a0 0001…1e1f                       data, 32 bytes
  05                                 nonce
"""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.codec import rlp
from statusnode.crypto.keccak import keccak256
from statusnode.messages.envelope import Envelope, EnvelopeError
from statusnode.messages.pow import leading_zero_bits, target_bits

RAW = bytes.fromhex(
    "ed845f5e1078788401020300a0000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f05"
)
FIELDS = (1_600_000_120, 120, bytes.fromhex("01020300"), bytes(range(32)), 5)

uint32 = st.integers(0, 2**32 - 1)
uint64 = st.integers(0, 2**64 - 1)
topics = st.binary(min_size=4, max_size=4)


def test_the_vector_is_read_field_by_field() -> None:
    envelope = Envelope.parse(RAW)
    assert (
        envelope.expiry,
        envelope.ttl,
        envelope.topic,
        envelope.data,
        envelope.nonce,
    ) == FIELDS
    assert envelope.size == 52
    assert envelope.sent == 1_600_000_000
    assert envelope.pow == 0.0029629629629629632
    assert envelope.hash.hex() == (
        "ed14da2e98d4c561bc7ce62511ce3b4527056dad736e75f025333a04472be880"
    )


def test_the_vector_is_built_of_its_fields() -> None:
    assert Envelope.build(*FIELDS).raw == RAW


def test_mining_from_zero_finds_the_nonce_of_the_vector() -> None:
    nonce = next(n for n in range(1000) if Envelope.build(*FIELDS[:4], n).pow >= 0.01)
    assert nonce == 83


@given(uint32, uint32, topics, st.binary(max_size=2000), uint64)
def test_what_is_built_is_read_back(
    expiry: int, ttl: int, topic: bytes, data: bytes, nonce: int
) -> None:
    envelope = Envelope.parse(Envelope.build(expiry, ttl, topic, data, nonce).raw)
    assert (envelope.expiry, envelope.ttl, envelope.topic) == (expiry, ttl, topic)
    assert (envelope.data, envelope.nonce) == (data, nonce)
    assert envelope.size == 20 + len(data)


@given(uint32, st.integers(0, 2**32 - 1), topics, st.binary(max_size=300), uint64)
def test_proof_of_work_is_what_its_definition_says(
    expiry: int, ttl: int, topic: bytes, data: bytes, nonce: int
) -> None:
    envelope = Envelope.build(expiry, ttl, topic, data, nonce)
    head = rlp.encode([expiry, ttl, topic, data])
    zeros = leading_zero_bits(keccak256(head + nonce.to_bytes(8, "big")))
    assert envelope.pow == (2.0**zeros / len(head) / ttl if ttl else math.inf)


@given(st.integers(1, 2**32 - 1), st.binary(max_size=300), uint64, st.floats(0, 1))
def test_the_shortcut_never_differs_from_the_proof(
    ttl: int, data: bytes, nonce: int, wanted: float
) -> None:
    fields = (0, ttl, b"abcd", data, nonce)
    assert Envelope.build(*fields).reaches(wanted) == (Envelope.build(*fields).pow >= wanted)


def test_a_fast_clock_is_charged_as_a_longer_ttl() -> None:
    envelope = Envelope.parse(RAW)
    usual = envelope.pow
    envelope.weigh(120)
    assert envelope.pow == usual / 2
    assert not envelope.reaches(usual)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ([1, 2, b"abcd", b""], "four fields"),
        ([1, 2, b"abcd", b"", 3, 4], "six fields"),
        ([1, 2, b"abc", b"", 3], "a topic of three bytes"),
        ([1, 2, b"abcde", b"", 3], "a topic of five bytes"),
        ([2**32, 2, b"abcd", b"", 3], "an expiry of 33 bits"),
        ([1, 2**32, b"abcd", b"", 3], "a TTL of 33 bits"),
        ([1, 2, b"abcd", b"", 2**64], "a nonce of 65 bits"),
        ([b"\0", 2, b"abcd", b"", 3], "an integer with a leading zero"),
        ([b"\0\1", 2, b"abcd", b"", 3], "a longer integer with a leading zero"),
        ([[], 2, b"abcd", b"", 3], "an expiry that is a list"),
        ([1, 2, [], b"", 3], "a topic that is a list"),
        ([1, 2, b"abcd", [b"x"], 3], "data that is a list"),
        ([1, 2, b"abcd", b"", []], "a nonce that is a list"),
        ([], "nothing"),
        (b"text", "a string"),
    ],
)
def test_what_is_no_envelope_is_refused(fields: rlp.Encodable, reason: str) -> None:
    with pytest.raises(EnvelopeError):
        Envelope.parse(rlp.encode(fields))


@pytest.mark.parametrize(
    "raw",
    [
        RAW + b"\0",
        RAW[:-1],
        b"",
        b"\xf8\x2d" + RAW[1:],
        bytes.fromhex("ca0102846162636484817f"),
        bytes.fromhex("ca0181018461626364 80 03"),
        bytes.fromhex("ca0102 8461626364 817f 03"),
    ],
    ids=[
        "bytes behind",
        "a byte missing",
        "nothing",
        "a long header for a short list",
        "too short for its data",
        "an integer with a needless prefix",
        "data with a needless prefix",
    ],
)
def test_what_is_not_canonical_is_refused(raw: bytes) -> None:
    with pytest.raises(EnvelopeError):
        Envelope.parse(raw)


def test_envelopes_of_the_same_bytes_are_equal() -> None:
    assert {Envelope.parse(RAW), Envelope.parse(bytes(bytearray(RAW)))} == {Envelope.parse(RAW)}


@pytest.mark.parametrize("size", [0, 1, 32, 56, 230, 300, 70_000])
def test_random_damage_is_refused_or_reads_as_another_envelope(size: int) -> None:
    rng = random.Random(6)
    whole = Envelope.build(*FIELDS[:3], bytes(size), 2**40).raw
    for _ in range(5_000):
        raw = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            place = rng.choice((rng.randrange(20), rng.randrange(-10, 0), rng.randrange(len(raw))))
            raw[place % len(raw)] = rng.choice((rng.randrange(256), 0, 0x80, 0xB9, 0xF9))
        if rng.random() < 0.2:
            del raw[rng.randrange(len(raw)) :]
        try:
            envelope = Envelope.parse(bytes(raw))
        except EnvelopeError:
            continue
        fields = (envelope.expiry, envelope.ttl, envelope.topic, envelope.data, envelope.nonce)
        assert Envelope.build(*fields).raw == raw


@pytest.mark.parametrize(
    ("wanted", "size", "ttl", "bits"),
    [
        (0.01, 52, 120, 6),
        (0.000002, 320, 50, 1),
        (0.0, 320, 50, 1),
        (0.002, 276, 50, 5),
        (1.0, 64, 64, 12),
    ],
)
def test_miners_aim_at_whole_bits_and_at_least_one(
    wanted: float, size: int, ttl: int, bits: int
) -> None:
    assert target_bits(wanted, size, ttl) == bits
