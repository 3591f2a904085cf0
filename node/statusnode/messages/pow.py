"""Proof of work of an envelope, as numbers: pure arithmetic, no hashing loops.

An envelope pays for its size and for how long it wants to live: its worth is
2^(leading zero bits of its PoW hash) / size / TTL (Waku v1, VAC-6, "Proof of work"). All values are
the float64 of Go, operation for operation, since peers compare them with `<`.
"""

from __future__ import annotations

import math

_HASH_BITS = 256


def leading_zero_bits(digest: bytes) -> int:
    """Count the zero bits before the first one of a 32-byte hash."""
    return _HASH_BITS - int.from_bytes(digest, "big").bit_length()


def pow_value(zero_bits: int, size: int, ttl_seconds: int) -> float:
    """Return the proof of work that `zero_bits` are worth.

    `size` is the length of the RLP list of all fields but the nonce. A TTL of 0 makes it infinite,
    as floating-point division does.
    """
    if ttl_seconds == 0:
        return math.inf
    return 2.0**zero_bits / size / ttl_seconds


def target_bits(wanted_pow: float, size: int, ttl_seconds: int) -> int:
    """Return how many leading zero bits a miner aims at for `wanted_pow`; at least one.

    `size` is the envelope's estimated size (`Envelope.size`), which is what the reference takes
    here, not the length of its RLP.
    """
    wanted = wanted_pow * size * ttl_seconds
    return max(1, math.ceil(math.log2(wanted))) if wanted > 0 else 1
