"""Envelopes that are worth their size and lifetime, for peers that ask for proof of work."""

from __future__ import annotations

import time

from statusnode.codec import rlp
from statusnode.messages.envelope import HEADER_SIZE, Envelope
from statusnode.messages.mining_worker import Search
from statusnode.messages.pow import target_bits

_WORTH = 0.000004
"""Twice what a node asks for."""


def mined(topic: str, data: bytes, *, ttl: int = 120, age: int = 0) -> Envelope:
    """Make an envelope that was sent `age` seconds ago."""
    expiry, name = int(time.time()) - age + ttl, bytes.fromhex(topic)
    search = Search(
        rlp.encode([expiry, ttl, name, data]), target_bits(_WORTH, HEADER_SIZE + len(data), ttl)
    )
    while not search.run():
        pass
    return Envelope.build(expiry, ttl, name, data, search.nonce)


def as_json(envelope: Envelope) -> dict[str, object]:
    """Write an envelope as the scripted Waku node takes and tells it."""
    return {
        "expiry": envelope.expiry,
        "ttl": envelope.ttl,
        "topic": envelope.topic.hex(),
        "data": envelope.data.hex(),
        "nonce": envelope.nonce,
    }
