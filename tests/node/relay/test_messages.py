"""The Messages packet, cut and put together.

f8 72                 list of 114 bytes
  f7 84…              an envelope of 56 bytes
  f8 38 84…           an envelope of 58 bytes
"""

from __future__ import annotations

import random

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.codec import rlp
from statusnode.relay.messages import Bundle, fits, split_by_size, split_messages
from support.relay_peers import envelope

raw_envelopes = st.lists(st.sampled_from([0, 20, 33, 34, 200, 240, 300, 70_000]), max_size=8).map(
    lambda sizes: [envelope(size=size).raw for size in sizes]
)


@given(raw_envelopes)
def test_a_packet_is_cut_into_the_bytes_it_was_made_of(raws: list[bytes]) -> None:
    assert split_messages(Bundle(raws).payload) == raws


@given(st.lists(st.binary(max_size=300).map(rlp.encode), max_size=20))
def test_items_that_are_no_envelopes_are_cut_too(items: list[bytes]) -> None:
    assert split_messages(rlp.encode_list(items)) == items


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x83abc",
        b"\xc1\x01\x02",
        b"\xc2\x83a",
        b"\xc3\xf9\x01\x00",
        b"\xc2\xf9\x01",
        b"\xc3\xf9\x00\x00",
        b"\xf8\x04\xf8\x02ab",
    ],
)
def test_what_is_no_list_of_whole_items_is_refused(payload: bytes) -> None:
    with pytest.raises(rlp.RLPError):
        split_messages(payload)


def test_random_damage_is_cut_as_the_reader_of_rlp_cuts_it() -> None:
    rng = random.Random(3)
    whole = Bundle([envelope(size=size).raw for size in (10, 100, 300, 40)]).payload
    for _ in range(20_000):
        payload = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            payload[rng.randrange(20 if rng.random() < 0.5 else len(payload))] = rng.randrange(256)
        assert outcome(split_messages, bytes(payload)) == outcome(rlp.split_list, bytes(payload))


def outcome(function: object, payload: bytes) -> list[bytes] | None:
    try:
        return function(payload)  # type: ignore[operator, no-any-return]
    except rlp.RLPError:
        return None


@given(raw_envelopes, st.integers(100, 100_000))
def test_packets_keep_to_the_size_and_the_order(raws: list[bytes], limit: int) -> None:
    groups = list(split_by_size(raws, limit))
    assert [raw for group in groups for raw in group] == raws
    for group in groups:
        assert len(Bundle(group).payload) <= limit or len(group) == 1


@given(st.integers(50, 70_000), st.integers(-8, 8))
def test_what_fits_makes_a_packet_within_the_limit(size: int, slack: int) -> None:
    raw = bytes(size)
    limit = size + slack
    if fits(len(raw), limit):
        assert len(rlp.encode_list([raw])) <= limit


def test_a_bundle_is_compressed_once() -> None:
    bundle = Bundle([envelope().raw])
    assert bytes(cramjam.snappy.decompress_raw(bundle.compressed)) == bundle.payload
    assert bundle.compressed is bundle.compressed
