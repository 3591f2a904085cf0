"""The Messages packet: a list of envelopes, cut into raw slices and put together again.

Nothing is decoded that is only passed on, and nothing is encoded twice: a bundle that goes to many
peers is joined once and compressed once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import cramjam

from statusnode.codec import rlp

_LONG_LIST: Final = 0xF9
LIST_HEADER_ROOM: Final = 5


def split_messages(payload: bytes) -> list[bytes]:
    """Cut the payload of a Messages packet into the raw bytes of its items.

    Raises:
        RLPError: it is not exactly one list of whole items.
    """
    is_list, position, limit = rlp.item_bounds(payload, 0, len(payload))
    if not is_list:
        raise rlp.RLPError("expected a list, got a string")
    if limit != len(payload):
        raise rlp.RLPError(f"{limit - len(payload)} bytes follow the list")
    items = []
    while position < limit:
        # Nearly every envelope is a list of 256 to 65,535 bytes: that case is decided here, all
        # others by the reader of RLP.
        if payload[position] == _LONG_LIST and position + 2 < limit and payload[position + 1]:
            end = position + 3 + (payload[position + 1] << 8) + payload[position + 2]
            if end > limit:
                raise rlp.RLPError("an envelope does not fit in its packet")
        else:
            _, _, end = rlp.item_bounds(payload, position, limit)
        items.append(payload[position:end])
        position = end
    return items


def fits(raw_size: int, limit: int) -> bool:
    """Tell whether an envelope of `raw_size` bytes fits alone in a packet of `limit` bytes."""
    return raw_size + LIST_HEADER_ROOM <= limit


def split_by_size(raw_envelopes: Iterable[bytes], limit: int) -> Iterator[list[bytes]]:
    """Group envelopes, in order, so that each group makes a packet of at most `limit` bytes.

    An envelope that does not fit alone makes a group of its own.
    """
    room = limit - LIST_HEADER_ROOM
    group: list[bytes] = []
    size = 0
    for raw in raw_envelopes:
        size += len(raw)
        if size > room and group:
            yield group
            group, size = [], len(raw)
        group.append(raw)
    if group:
        yield group


class Bundle:
    """The payload of one Messages packet, for one peer or for many."""

    __slots__ = ("_compressed", "count", "payload")

    def __init__(self, raw_envelopes: list[bytes]) -> None:
        self.payload = rlp.encode_list(raw_envelopes)
        self.count = len(raw_envelopes)
        self._compressed: bytes | None = None

    @property
    def compressed(self) -> bytes:
        """The snappy form of `payload`, made once."""
        if self._compressed is None:
            self._compressed = bytes(cramjam.snappy.compress_raw(self.payload))
        return self._compressed
