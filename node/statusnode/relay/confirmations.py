"""Confirmation of a Messages packet: what was wrong with which envelope (Waku v1, VAC-6).

Sent as a message response (12) and then, for old peers, a batch acknowledgement (11); both name the
packet by the Keccak-256 of its payload.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from statusnode.codec import rlp
from statusnode.crypto.keccak import keccak256

_VERSION: Final = 1
_CODE: Final = 21  # the specification says 1; clients look for the number that status-go has


class Complaint(NamedTuple):
    """One envelope that was not taken, and why."""

    identity: bytes
    text: str


def encode_response(payload: bytes, complaints: Sequence[Complaint]) -> bytes:
    """Write the message response to the Messages packet `payload`."""
    errors: list[rlp.Encodable] = [
        [complaint.identity, _CODE, complaint.text] for complaint in complaints
    ]
    return rlp.encode([_VERSION, [keccak256(payload), errors]])


def encode_acknowledgement(payload: bytes) -> bytes:
    """Write the batch acknowledgement of the Messages packet `payload`."""
    return rlp.encode(keccak256(payload))
