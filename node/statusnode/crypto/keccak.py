"""Keccak-256 as Ethereum uses it: the original padding, not that of SHA3-256.

`safe-pysha3` is the quickest binding that also gives a running state which can be read and then
fed further, which the frame MAC of RLPx needs.
"""

from __future__ import annotations

from typing import Protocol, cast

import sha3


class KeccakState(Protocol):
    """A running Keccak-256 state; reading the digest does not end it."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None: ...

    def digest(self) -> bytes: ...

    def copy(self) -> KeccakState: ...


def keccak256(data: bytes | bytearray | memoryview) -> bytes:
    """Return the 32-byte Keccak-256 hash of `data`."""
    return cast("bytes", sha3.keccak_256(data).digest())


def keccak_state(data: bytes | bytearray | memoryview = b"") -> KeccakState:
    """Return a running state that has absorbed `data`."""
    return cast("KeccakState", sha3.keccak_256(data))
