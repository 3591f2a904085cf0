"""Status on the wire, in both dialects.

waku/1:  dd                          options, 29 bytes
           ca 80 883ec0c6f7a0b5ed8d    0: PoW requirement 2e-6, as the bits of a float64
           c2 02 80                    2: light node: no
           c2 03 80                    3: confirmations: no
           c5 04 c3808080              4: packet rate limits 0, 0, 0
           c5 06 c3808080              6: byte rate limits 0, 0, 0
waku/0:  d9 80 d7 …                  version 0, options; keys are the characters "0" to "5"
"""

from __future__ import annotations

import random
import struct
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.codec import rlp
from statusnode.relay.settings import RateLimits
from statusnode.relay.status import MAX_TOPICS, WAKU_0, WAKU_1, Dialect, StatusError, StatusOptions

DEFAULT = StatusOptions(
    pow_requirement=0.000002,
    light_node=False,
    confirmations=False,
    packet_limits=RateLimits(),
    byte_limits=RateLimits(),
)
BOTH = pytest.mark.parametrize("dialect", [WAKU_0, WAKU_1], ids=["waku0", "waku1"])

limits = st.builds(RateLimits, *[st.integers(0, 2**64 - 1)] * 3)
options_of_waku_0 = st.builds(
    StatusOptions,
    pow_requirement=st.none() | st.floats(allow_nan=False),
    bloom_filter=st.none() | st.binary(max_size=70),
    light_node=st.none() | st.booleans(),
    confirmations=st.none() | st.booleans(),
    packet_limits=st.none() | limits,
    topic_interest=st.none() | st.lists(st.binary(min_size=4, max_size=4), max_size=30).map(tuple),
)


def pow_bits(value: float) -> int:
    return int(struct.unpack(">Q", struct.pack(">d", value))[0])


def status(dialect: Dialect, options: list[rlp.Encodable]) -> bytes:
    return rlp.encode([0, options]) if dialect is WAKU_0 else rlp.encode(options)


def key(dialect: Dialect, number: int) -> rlp.Encodable:
    return str(number) if dialect is WAKU_0 else number


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        (WAKU_1, "ddca80883ec0c6f7a0b5ed8dc20280c20380c504c3808080c506c3808080"),
        (WAKU_0, "d980d7ca30883ec0c6f7a0b5ed8dc23280c23380c534c3808080"),
    ],
)
def test_the_status_of_a_default_node(dialect: Dialect, expected: str) -> None:
    assert dialect.encode_status(DEFAULT).hex() == expected


@given(options_of_waku_0)
def test_waku_0_reads_what_it_writes(options: StatusOptions) -> None:
    assert WAKU_0.parse_status(WAKU_0.encode_status(options)) == options
    assert WAKU_0.parse_update(WAKU_0.encode_update(options)) == options


@given(options_of_waku_0, st.none() | limits)
def test_waku_1_reads_what_it_writes(options: StatusOptions, bytes_: RateLimits | None) -> None:
    options = replace(options, byte_limits=bytes_)
    assert WAKU_1.parse_status(WAKU_1.encode_status(options)) == options
    assert WAKU_1.parse_update(WAKU_1.encode_update(options)) == options


def test_waku_0_has_no_byte_limits() -> None:
    encoded = WAKU_0.encode_status(StatusOptions(byte_limits=RateLimits(1, 2, 3)))
    assert WAKU_0.parse_status(encoded) == StatusOptions()


@BOTH
def test_an_empty_list_tells_nothing(dialect: Dialect) -> None:
    assert dialect.parse_status(status(dialect, [])) == StatusOptions()


@BOTH
def test_the_last_of_duplicates_counts(dialect: Dialect) -> None:
    payload = status(dialect, [[key(dialect, 2), 1], [key(dialect, 2), 0]])
    assert dialect.parse_status(payload).light_node is False


@BOTH
def test_an_unknown_option_behind_the_others_is_harmless(dialect: Dialect) -> None:
    payload = status(dialect, [[key(dialect, 2), 1], [key(dialect, 9), ["x", 5]]])
    assert dialect.parse_status(payload).light_node is True


def test_waku_1_loses_what_follows_an_unknown_option() -> None:
    payload = status(WAKU_1, [[2, 1], [99, "x"], [3, 1]])
    assert WAKU_1.parse_status(payload) == StatusOptions(light_node=True)


def test_waku_0_fails_at_what_follows_an_unknown_option() -> None:
    with pytest.raises(StatusError):
        WAKU_0.parse_status(status(WAKU_0, [["9", "x"], ["3", 1]]))


@BOTH
def test_an_update_loses_what_follows_an_unknown_option(dialect: Dialect) -> None:
    payload = rlp.encode([[key(dialect, 2), 1], [key(dialect, 9), ""], [key(dialect, 3), 1]])
    assert dialect.parse_update(payload) == StatusOptions(light_node=True)


def test_what_stands_inside_an_unknown_option_is_read_as_options() -> None:
    payload = rlp.encode([[99, "x", [2, 1]], [3, 1]])
    assert WAKU_1.parse_status(payload) == StatusOptions(light_node=True)


def test_bytes_behind_the_list_are_ignored() -> None:
    assert WAKU_1.parse_status(rlp.encode([[2, 1]]) + b"more") == StatusOptions(light_node=True)


def test_ten_thousand_topics_are_read() -> None:
    topics = tuple(number.to_bytes(4, "big") for number in range(MAX_TOPICS))
    payload = WAKU_1.encode_status(StatusOptions(topic_interest=topics))
    assert WAKU_1.parse_status(payload).topic_interest == topics


@BOTH
@pytest.mark.parametrize(
    ("number", "value"),
    [
        (0, b"\0\1"),
        (0, 2**64),
        (0, [1]),
        (1, [1]),
        (2, 2),
        (2, b"\0"),
        (2, [1]),
        (3, 256),
        (4, [1, 2]),
        (4, [1, 2, 3, 4]),
        (4, 5),
        (4, [1, 2, []]),
        (5, b"abcd"),
        (5, [b"abc"]),
        (5, [b"abcd", b"abcde"]),
        (5, [[]]),
        (5, [b"abcd"] * (MAX_TOPICS + 1)),
    ],
)
def test_a_value_of_the_wrong_form_is_refused(
    dialect: Dialect, number: int, value: rlp.Encodable
) -> None:
    options: list[rlp.Encodable] = [[key(dialect, number), value]]
    with pytest.raises(StatusError):
        dialect.parse_status(status(dialect, options))
    with pytest.raises(StatusError):
        dialect.parse_update(rlp.encode(options))


@BOTH
@pytest.mark.parametrize(
    "options",
    [
        ["a", "b"],
        [[]],
        [[[1], 2]],
        [["2"]],
        [["2", 1, 1]],
        [["99"]],
    ],
    ids=["strings", "an empty option", "a list as key", "no value", "two values", "unknown, bare"],
)
def test_a_list_of_the_wrong_form_is_refused(
    dialect: Dialect, options: list[rlp.Encodable]
) -> None:
    if dialect is WAKU_1:
        options = [
            [int(part) if isinstance(part, str) else part for part in option]
            if isinstance(option, list)
            else option
            for option in options
        ]
    with pytest.raises(StatusError):
        dialect.parse_status(status(dialect, options))


@BOTH
@pytest.mark.parametrize(
    "payload", [b"", b"\xdd\xca", rlp.encode("hello"), b"\xc3\xc2\x02", b"\x05"]
)
def test_what_is_no_list_is_refused(dialect: Dialect, payload: bytes) -> None:
    with pytest.raises(StatusError):
        dialect.parse_status(payload)
    with pytest.raises(StatusError):
        dialect.parse_update(payload)


def test_waku_0_refuses_other_versions_and_the_form_of_waku_1() -> None:
    for payload in (rlp.encode([1, []]), WAKU_1.encode_status(DEFAULT), rlp.encode([0])):
        with pytest.raises(StatusError):
            WAKU_0.parse_status(payload)


def test_waku_1_refuses_keys_that_are_no_integers() -> None:
    with pytest.raises(StatusError):
        WAKU_1.parse_status(rlp.encode([[b"\0", 1]]))
    with pytest.raises(StatusError):
        WAKU_1.parse_status(rlp.encode([[b"too long to be one", 1]]))


def test_thousands_of_duplicates_are_refused() -> None:
    with pytest.raises(StatusError):
        WAKU_1.parse_update(rlp.encode([[2, 1]] * 5_000))


@BOTH
def test_random_damage_is_read_or_refused(dialect: Dialect) -> None:
    rng = random.Random(2)
    options = replace(DEFAULT, topic_interest=(b"abcd", b"efgh"), bloom_filter=bytes(64))
    whole = dialect.encode_status(options)
    for _ in range(15_000):
        payload = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            payload[rng.randrange(len(payload))] = rng.randrange(256)
        for parse in (dialect.parse_status, dialect.parse_update):
            with suppress(StatusError):
                assert isinstance(parse(bytes(payload[: rng.randint(0, 120)])), StatusOptions)
