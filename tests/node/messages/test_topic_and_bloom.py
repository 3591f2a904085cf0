"""Topics, and the 512 bits that stand for many of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.messages.bloom import (
    EMPTY_BLOOM,
    FULL_BLOOM,
    BloomError,
    bloom_bytes,
    bloom_matches,
    bloom_of,
    parse_bloom,
)
from statusnode.messages.topic import topic_bloom, topic_of

topics = st.binary(min_size=4, max_size=4)


def test_a_public_chat_has_the_topic_of_its_name() -> None:
    assert topic_of("status").hex() == "cd423760"


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("01020300", {0: 0x08}),  # bits 1, 2, 3 share byte 0: only the last survives
        ("00010207", {32: 0x04}),  # the same in the upper half
        ("aabbcc07", {53: 0x04, 55: 0x08, 57: 0x10}),
        ("0a141e00", {1: 0x04, 2: 0x10, 3: 0x40}),
    ],
)
def test_a_topic_sets_the_bits_that_the_reference_sets(
    topic: str, expected: dict[int, int]
) -> None:
    data = bloom_bytes(topic_bloom(bytes.fromhex(topic)))
    assert {place: byte for place, byte in enumerate(data) if byte} == expected


@given(topics)
def test_a_topic_assigns_bytes_one_after_the_other(topic: bytes) -> None:
    data = bytearray(64)
    for index in range(3):
        bit = topic[index] + 256 * (topic[3] >> index & 1)
        data[bit // 8] = 1 << bit % 8
    assert bloom_bytes(topic_bloom(topic)) == bytes(data)


@given(st.lists(topics, max_size=20), topics)
def test_a_filter_lets_its_topics_through(wanted: list[bytes], other: bytes) -> None:
    bloom = bloom_of(wanted)
    assert all(bloom_matches(bloom, topic_bloom(topic)) for topic in wanted)
    assert bloom_matches(bloom, topic_bloom(other)) == (topic_bloom(other) | bloom == bloom)


@given(st.binary(min_size=64, max_size=64))
def test_a_filter_is_read_as_it_is_written(data: bytes) -> None:
    assert bloom_bytes(parse_bloom(data)) == data


@given(topics)
def test_the_full_filter_matches_all_and_the_empty_one_nothing(topic: bytes) -> None:
    assert bloom_matches(FULL_BLOOM, topic_bloom(topic))
    assert not bloom_matches(EMPTY_BLOOM, topic_bloom(topic))


@pytest.mark.parametrize("size", [0, 1, 63, 65])
def test_a_filter_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(BloomError, match=f"invalid bloom filter size: {size}"):
        parse_bloom(bytes(size))
