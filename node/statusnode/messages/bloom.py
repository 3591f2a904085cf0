"""Bloom filters over topics: 512 bits, one number.

A filter is an `int` here, bit n being bit n%8 of byte n//8 on the wire, so that joining two is `|`
and a match is one comparison. Waku v1 (VAC-6), "Bloom filter field".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from statusnode.messages.topic import topic_bloom

BLOOM_SIZE: Final = 64
EMPTY_BLOOM: Final = 0
FULL_BLOOM: Final = (1 << 8 * BLOOM_SIZE) - 1


class BloomError(ValueError):
    """Bytes that are no bloom filter."""


def parse_bloom(data: bytes) -> int:
    """Read a filter from its 64 bytes.

    Raises:
        BloomError: there are more or fewer.
    """
    if len(data) != BLOOM_SIZE:
        raise BloomError(f"invalid bloom filter size: {len(data)}")
    return int.from_bytes(data, "little")


def bloom_bytes(bloom: int) -> bytes:
    """Write a filter as 64 bytes."""
    return bloom.to_bytes(BLOOM_SIZE, "little")


def bloom_of(topics: Iterable[bytes]) -> int:
    """Return the filter that lets every one of `topics` through."""
    bloom = EMPTY_BLOOM
    for topic in topics:
        bloom |= topic_bloom(topic)
    return bloom


def bloom_matches(bloom: int, sample: int) -> bool:
    """Tell whether every bit of `sample` is set in `bloom`."""
    return sample & bloom == sample
