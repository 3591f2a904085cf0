"""One JSON value after another, however the socket cuts them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.rpc.errors import ParseError
from statusnode.rpc.stream import JsonStream

values = st.recursive(
    st.text(max_size=6),
    lambda items: st.lists(items, max_size=3) | st.dictionaries(st.text(max_size=3), items),
    max_leaves=6,
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(st.lists(values, max_size=5), st.lists(st.integers(0, 1000), max_size=8), st.booleans())
def test_values_come_out_as_they_went_in(
    sent: list[object], places: list[int], spaced: bool
) -> None:
    stream = JsonStream(10_000)
    data = (b" \r\n\t" if spaced else b"").join(
        json.dumps(value, ensure_ascii=spaced).encode() for value in sent
    )

    received = [value for piece in cut(data, places) for value in stream.feed(piece)]

    assert [json.loads(value) for value in received] == sent


def test_a_number_or_word_ends_where_something_else_begins() -> None:
    stream = JsonStream(100)

    assert list(stream.feed(b"12")) == []
    assert list(stream.feed(b"3 true")) == [b"123"]
    assert list(stream.feed(b"{}")) == [b"true", b"{}"]


@pytest.mark.parametrize("data", [b"}", b"x", b"{}]", b"\xff", b",", b"'"])
def test_what_no_value_can_begin_with_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError, match="looking for beginning of value"):
        list(JsonStream(100).feed(data))


def test_a_value_has_a_bound() -> None:
    stream = JsonStream(100)

    assert list(stream.feed(b"[" + b" " * 98)) == []
    with pytest.raises(ParseError, match="at most 100 bytes"):
        list(stream.feed(b"  "))


def test_many_small_values_may_be_longer_than_one_together() -> None:
    assert len(list(JsonStream(10).feed(b"{}" * 1000))) == 1000


def test_a_long_value_in_small_pieces_is_looked_at_once() -> None:
    stream, looked_at = JsonStream(1 << 20), 0
    pieces = [b'["', *[b"x" * 100] * 100, b'"]']

    for piece in pieces[:-1]:
        assert list(stream.feed(piece)) == []
        looked_at += len(piece)
        assert stream._position == looked_at


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_any_bytes_are_cut_or_refused(pieces: list[bytes]) -> None:
    stream = JsonStream(100)
    try:
        for piece in pieces:
            for value in stream.feed(piece):
                assert value
    except ParseError:
        return
