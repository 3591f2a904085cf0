"""Whether an envelope is taken: the rules of one moment, in the order in which they are asked.

The order is that of status-go, since the first rule that fails is what counters and confirmations
name; it also is the order of cost. Proof of work is weighed last of the cheap checks and only
where its lower bound does not settle it; interest follows. Nothing here has a side effect but that
an envelope from a fast clock remembers its lower proof of work.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from statusnode.messages.bloom import bloom_matches
from statusnode.messages.envelope import Envelope
from statusnode.messages.topic import topic_bloom

SYNC_ALLOWANCE: Final = 10
"""Seconds that clocks may differ by, and that old settings are honoured for after a change."""


class Acceptance(Enum):
    """What became of an envelope; the values are the metric's `type` where it is a failure."""

    NEW = "miss"
    KNOWN = "hit"
    FROM_FUTURE = "in_future"
    VERY_OLD = "very_old"
    EXPIRED = "expired"
    OVERSIZED = "oversized"
    LOW_POW = "low_pow"
    NO_BLOOM_MATCH = "no_bloom_match"
    NO_TOPIC_INTEREST_MATCH = "no_topic_interest_match"

    @property
    def accepted(self) -> bool:
        """Whether the envelope is in the pool now."""
        return self in _ACCEPTED

    @property
    def complaint(self) -> str | None:
        """What a confirmation tells the sender; None where there is nothing to complain of."""
        return _COMPLAINTS.get(self)


_ACCEPTED: Final = frozenset({Acceptance.NEW, Acceptance.KNOWN})
_COMPLAINTS: Final = {
    Acceptance.FROM_FUTURE: "envelope from future",
    Acceptance.VERY_OLD: "very old envelope",
    Acceptance.OVERSIZED: "huge messages are not allowed",
    Acceptance.LOW_POW: "envelope with low PoW received",
    Acceptance.NO_BLOOM_MATCH: "envelope does not match bloom filter",
    Acceptance.NO_TOPIC_INTEREST_MATCH: "envelope does not match topic interest",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the node takes at one moment, values that are still tolerated included."""

    max_size: int
    min_pow: float
    topics: frozenset[bytes] | None = None
    """None: the bloom filters decide."""
    blooms: tuple[int, ...] | None = None
    """Any of them may match; None: everything does."""

    def judge(self, envelope: Envelope, now: int) -> Acceptance:
        """Judge an envelope that is not in the pool; `now` is in whole unix seconds."""
        expiry = envelope.expiry
        sent = (expiry - envelope.ttl) & 0xFFFFFFFF
        if sent > now:
            if sent - SYNC_ALLOWANCE > now:
                return Acceptance.FROM_FUTURE
            envelope.weigh(sent - now + 1)
        if expiry < now:
            return Acceptance.VERY_OLD if expiry + 2 * SYNC_ALLOWANCE < now else Acceptance.EXPIRED
        if envelope.size > self.max_size:
            return Acceptance.OVERSIZED
        if not envelope.reaches(self.min_pow):
            return Acceptance.LOW_POW
        if self.topics is not None:
            if envelope.topic not in self.topics:
                return Acceptance.NO_TOPIC_INTEREST_MATCH
        elif self.blooms is not None and not self._bloom_matches(envelope.topic):
            return Acceptance.NO_BLOOM_MATCH
        return Acceptance.NEW

    def _bloom_matches(self, topic: bytes) -> bool:
        sample = topic_bloom(topic)
        return any(bloom_matches(bloom, sample) for bloom in self.blooms or ())
