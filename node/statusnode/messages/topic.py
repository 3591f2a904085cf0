"""Topics: four bytes that say what an envelope is about without saying it.

They are how peers tell each other what they want, exactly (topic interest) or vaguely (bloom
filter, `statusnode.messages.bloom`). Waku v1 (VAC-6), "Topics"; the mapping to a bloom filter is
that of status-go.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from statusnode.crypto.keccak import keccak256

TOPIC_SIZE: Final = 4
_INDEXES: Final = 3
_UPPER_HALF: Final = 256


def topic_of(name: str) -> bytes:
    """Return the topic of a public chat or any other agreed text: the head of its Keccak-256."""
    return keccak256(name.encode())[:TOPIC_SIZE]


@lru_cache(maxsize=1 << 14)
def topic_bloom(topic: bytes) -> int:
    """Return the bloom filter of one topic, bit n of the number being bit n%8 of byte n//8.

    Each of the first three bytes picks a bit, a flag in the fourth which half it is in. status-go
    *assigns* the byte that holds the bit, so of two bits in one byte only the later survives; every
    filter on the network is made so, and one made by the book would miss envelopes.
    """
    bloom = 0
    for index in range(_INDEXES):
        bit = topic[index] + (_UPPER_HALF if topic[_INDEXES] >> index & 1 else 0)
        bloom &= ~(0xFF << (bit & ~7))
        bloom |= 1 << bit
    return bloom
