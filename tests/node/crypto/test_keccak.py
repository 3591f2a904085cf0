"""Keccak-256 with the original padding, not SHA3-256."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.crypto.keccak import keccak256, keccak_state


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        # The Keccak team's ShortMsgKAT_256, Len = 8.
        (b"\xcc", "eead6dbfc7340a56caedc044696a168870549a6a7f6f56961e84a54bd9970b8a"),
    ],
)
def test_published_digests(data: bytes, digest: str) -> None:
    assert keccak256(data).hex() == digest
    assert hashlib.sha3_256(data).hexdigest() != digest


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_a_running_state_equals_hashing_at_once(parts: list[bytes]) -> None:
    state = keccak_state()
    for part in parts:
        state.update(part)
        state.digest()  # reading does not end it

    assert state.digest() == keccak256(b"".join(parts))


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_a_copy_goes_its_own_way(common: bytes, more: bytes) -> None:
    state = keccak_state(common)
    copy = state.copy()
    copy.update(more)

    assert state.digest() == keccak256(common)
    assert copy.digest() == keccak256(common + more)


def test_every_kind_of_buffer_is_hashed() -> None:
    assert keccak256(bytearray(b"abc")) == keccak256(memoryview(b"abc")) == keccak256(b"abc")
