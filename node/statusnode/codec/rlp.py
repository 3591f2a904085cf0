"""RLP: strict reading without copies of what will be forwarded, and encoding.

Reading is ours because the relay path wants the **raw bytes** of each item of a list, not a decoded
tree: an envelope travels on exactly as it came. The rules are those of Go's decoder, which peers
hold us to: sizes in the shortest form, no byte below 0x80 behind a prefix, integers without leading
zeros (Ethereum yellow paper, appendix B). Encoding is the `rlp` package's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias, cast

import rlp

Encodable: TypeAlias = "bytes | bytearray | memoryview | int | str | bool | Sequence[Encodable]"
Decoded: TypeAlias = "bytes | list[Decoded]"

_MAX_DEPTH: Final = 64


class RLPError(ValueError):
    """Bytes that are not canonical RLP, or not of the shape that was asked for."""


def encode(item: Encodable) -> bytes:
    """Encode bytes, text (UTF-8), non-negative integers, booleans and sequences of them."""
    return cast("bytes", rlp.encode(item, infer_serializer=True))


def encode_list(raw_items: Sequence[bytes]) -> bytes:
    """Wrap items that are RLP already into one list."""
    return list_header(sum(map(len, raw_items))) + b"".join(raw_items)


def list_header(size: int) -> bytes:
    """Return the prefix of a list whose items have `size` bytes together."""
    if size < 56:
        return bytes((0xC0 + size,))
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0xF7 + len(length),)) + length


def item_bounds(data: bytes, offset: int, limit: int) -> tuple[bool, int, int]:
    """Find the item that starts at `offset` and must end at or before `limit`.

    Returns whether it is a list, where its content starts, and where it ends.

    Raises:
        RLPError: there is no whole canonical item.
    """
    if offset >= limit:
        raise RLPError("the data ends where an item should start")
    prefix = data[offset]
    if prefix < 0x80:
        return False, offset, offset + 1
    if prefix < 0xB8:
        start, size = offset + 1, prefix - 0x80
    elif prefix < 0xC0:
        start, size = _long_size(data, offset, prefix - 0xB7, limit)
    elif prefix < 0xF8:
        start, size = offset + 1, prefix - 0xC0
    else:
        start, size = _long_size(data, offset, prefix - 0xF7, limit)
    end = start + size
    if end > limit:
        raise RLPError(f"an item of {size} bytes does not fit in the {limit - start} that are left")
    if size == 1 and prefix == 0x81 and data[start] < 0x80:
        raise RLPError("a single byte below 0x80 stands for itself, without a prefix")
    return prefix >= 0xC0, start, end


def _long_size(data: bytes, offset: int, length: int, limit: int) -> tuple[int, int]:
    start = offset + 1 + length
    if start > limit:
        raise RLPError("the data ends inside the size of an item")
    if data[offset + 1] == 0:
        raise RLPError("the size of an item has leading zeros")
    size = int.from_bytes(data[offset + 1 : start], "big")
    if size < 56:
        raise RLPError("the size of an item is not in its shortest form")
    return start, size


def split_list(data: bytes) -> list[bytes]:
    """Cut a list into the raw bytes of its items, prefixes included.

    Raises:
        RLPError: `data` is not exactly one list of whole items.
    """
    is_list, position, limit = item_bounds(data, 0, len(data))
    if not is_list:
        raise RLPError("expected a list, got a string")
    if limit != len(data):
        raise RLPError(f"{len(data) - limit} bytes follow the list")
    return list(raw_items(data, position, limit))


def raw_items(data: bytes, position: int, limit: int) -> Iterator[bytes]:
    """Yield the raw bytes of each item between `position` and `limit`."""
    while position < limit:
        _, _, end = item_bounds(data, position, limit)
        yield data[position:end]
        position = end


def decode(data: bytes) -> Decoded:
    """Decode exactly one item into bytes or nested lists of bytes.

    Raises:
        RLPError: it is not canonical, nested too deeply, or bytes follow.
    """
    data = bytes(data)
    item, end = _decode_at(data, 0, len(data), 0)
    if end != len(data):
        raise RLPError(f"{len(data) - end} bytes follow the item")
    return item


def decode_prefix(data: bytes) -> tuple[Decoded, int]:
    """Decode the first item and tell where it ends; whatever follows is left alone.

    Raises:
        RLPError: the first item is not canonical.
    """
    data = bytes(data)
    return _decode_at(data, 0, len(data), 0)


def _decode_at(data: bytes, offset: int, limit: int, depth: int) -> tuple[Decoded, int]:
    is_list, position, end = item_bounds(data, offset, limit)
    if not is_list:
        return data[position:end], end
    if depth == _MAX_DEPTH:
        raise RLPError(f"lists are nested deeper than {_MAX_DEPTH}")
    items: list[Decoded] = []
    while position < end:
        item, position = _decode_at(data, position, end, depth + 1)
        items.append(item)
    return items, end


def decode_list(data: bytes) -> list[Decoded]:
    """Decode exactly one list.

    Raises:
        RLPError: it is none.
    """
    return as_list(decode(data))


def as_list(item: Decoded) -> list[Decoded]:
    """Narrow a decoded item to a list.

    Raises:
        RLPError: it is a string.
    """
    if isinstance(item, bytes):
        raise RLPError("expected a list, got a string")
    return item


def as_bytes(item: Decoded, size: int | None = None) -> bytes:
    """Narrow a decoded item to a string, of `size` bytes where given.

    Raises:
        RLPError: it is a list or has another length.
    """
    if not isinstance(item, bytes):
        raise RLPError("expected a string, got a list")
    if size is not None and len(item) != size:
        raise RLPError(f"expected {size} bytes, got {len(item)}")
    return item


def as_uint(item: Decoded, bits: int = 64) -> int:
    """Narrow a decoded item to an unsigned integer of at most `bits` bits.

    Raises:
        RLPError: it is a list, has leading zeros, or is too large.
    """
    data = as_bytes(item)
    if data and data[0] == 0:
        raise RLPError("an integer has no leading zeros")
    if len(data) * 8 > bits:
        raise RLPError(f"the integer does not fit in {bits} bits")
    return int.from_bytes(data, "big")


def as_bool(item: Decoded) -> bool:
    """Narrow a decoded item to a boolean: 0 or 1.

    Raises:
        RLPError: it is neither.
    """
    value = as_uint(item, 8)
    if value > 1:
        raise RLPError(f"a boolean is 0 or 1, not {value}")
    return value == 1
