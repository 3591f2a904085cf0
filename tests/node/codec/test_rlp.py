"""RLP: the published vectors, and strictness as Go's decoder has it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.codec import rlp

LOREM = b"Lorem ipsum dolor sit amet, consectetur adipisicing elit"

items = st.recursive(
    st.binary(max_size=80), lambda inner: st.lists(inner, max_size=8), max_leaves=40
)


@pytest.mark.parametrize(
    ("item", "wire"),
    [
        # Ethereum wiki, "RLP", examples.
        (b"dog", "83646f67"),
        ([b"cat", b"dog"], "c88363617483646f67"),
        (b"", "80"),
        ([], "c0"),
        (b"\x00", "00"),
        (b"\x0f", "0f"),
        (b"\x04\x00", "820400"),
        ([[], [[]], [[], [[]]]], "c7c0c1c0c3c0c1c0"),
        (LOREM, "b838" + LOREM.hex()),
        ([LOREM], "f83ab838" + LOREM.hex()),
        (bytes(1024), "b90400" + bytes(1024).hex()),
    ],
)
def test_published_vectors(item: rlp.Decoded, wire: str) -> None:
    assert rlp.encode(item).hex() == wire
    assert rlp.decode(bytes.fromhex(wire)) == item


@pytest.mark.parametrize(
    ("value", "wire"),
    [(0, "80"), (1, "01"), (127, "7f"), (128, "8180"), (2**64 - 1, "88" + "ff" * 8)],
)
def test_integers_are_written_without_leading_zeros(value: int, wire: str) -> None:
    assert rlp.encode(value).hex() == wire
    assert rlp.as_uint(rlp.decode(bytes.fromhex(wire))) == value


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        ("", "the data ends"),
        ("8100", "stands for itself"),
        ("817f", "stands for itself"),
        ("b800", "leading zeros"),
        ("b837" + "00" * 55, "shortest form"),
        ("b90038" + "00" * 56, "leading zeros"),
        ("f90000", "leading zeros"),
        ("83646f", "does not fit"),
        ("c883636174", "does not fit"),
        ("bfffffffffffffffff", "does not fit"),
        ("ffffffffffffffffff", "does not fit"),
        ("b9", "inside the size"),
        ("0000", "1 bytes follow"),
        ("c20183", "does not fit"),
    ],
)
def test_what_is_not_canonical_is_refused(wire: str, why: str) -> None:
    with pytest.raises(rlp.RLPError, match=why):
        rlp.decode(bytes.fromhex(wire))


@given(items)
def test_what_is_written_reads_back(item: rlp.Decoded) -> None:
    assert rlp.decode(rlp.encode(item)) == item


@given(st.binary(max_size=200))
def test_whatever_is_read_is_written_the_same(data: bytes) -> None:
    try:
        item = rlp.decode(data)
    except rlp.RLPError:
        return
    assert rlp.encode(item) == data


@given(items, st.binary(max_size=10))
def test_the_first_item_is_read_whatever_follows(item: rlp.Decoded, rest: bytes) -> None:
    wire = rlp.encode(item)

    assert rlp.decode_prefix(wire + rest) == (item, len(wire))


@given(st.lists(items, max_size=12))
def test_a_list_is_cut_into_its_raw_items_and_joined_again(parts: list[rlp.Decoded]) -> None:
    wire = rlp.encode(parts)

    raw = rlp.split_list(wire)

    assert raw == [rlp.encode(part) for part in parts]
    assert rlp.encode_list(raw) == wire
    assert rlp.split_list(memoryview(wire).tobytes()) == raw


@given(st.binary(max_size=200))
def test_cutting_garbage_is_refused_or_loses_nothing(data: bytes) -> None:
    try:
        raw = rlp.split_list(data)
    except rlp.RLPError:
        return
    assert rlp.list_header(sum(map(len, raw))) + b"".join(raw) == data


def test_a_string_is_no_list_and_a_list_no_string() -> None:
    for refuse in (rlp.split_list, rlp.decode_list):
        with pytest.raises(rlp.RLPError, match="expected a list"):
            refuse(b"\x83dog")
    with pytest.raises(rlp.RLPError, match="expected a string"):
        rlp.as_bytes([])


def test_nesting_is_bounded() -> None:
    wire = bytes.fromhex("c0")
    for _ in range(64):
        wire = rlp.encode_list([wire])

    with pytest.raises(rlp.RLPError, match="deeper"):
        rlp.decode(wire)
    assert rlp.split_list(wire)  # cutting does not go inside


@pytest.mark.parametrize(("data", "bits"), [(b"\x00", 64), (b"\x00\x01", 64), (b"\x01" * 9, 64)])
def test_integers_out_of_shape_are_refused(data: bytes, bits: int) -> None:
    with pytest.raises(rlp.RLPError):
        rlp.as_uint(data, bits)


def test_narrowing() -> None:
    assert rlp.as_bytes(b"abc", 3) == b"abc"
    with pytest.raises(rlp.RLPError, match="expected 4 bytes, got 3"):
        rlp.as_bytes(b"abc", 4)
    assert [rlp.as_bool(data) for data in (b"", b"\x01")] == [False, True]
    with pytest.raises(rlp.RLPError, match="0 or 1"):
        rlp.as_bool(b"\x02")


def test_headers_at_every_edge_of_size() -> None:
    for size, offset in itertools.product((55, 56, 255, 256, 65535, 65536), (-1, 0, 1)):
        header = rlp.list_header(size + offset)
        assert rlp.item_bounds(header + bytes(size + offset), 0, len(header) + size + offset) == (
            True,
            len(header),
            len(header) + size + offset,
        )
