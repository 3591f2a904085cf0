"""What a peer wants to be sent: a value, and the one question it answers.

Topic interest, where a peer has told one, wins over its bloom filter; telling either clears the
other. A peer that tells neither wants everything; one that tells no proof-of-work requirement gets
the default of the specification, not "any" (Waku v1, VAC-6, "Status").
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from statusnode.messages.bloom import FULL_BLOOM, BloomError, bloom_matches, parse_bloom
from statusnode.messages.envelope import Envelope
from statusnode.messages.topic import topic_bloom
from statusnode.relay.status import StatusError, StatusOptions

DEFAULT_POW_REQUIREMENT: Final = 0.001


@dataclass(frozen=True, slots=True)
class Interest:
    """What one peer wants. Peers of equal interest form a group."""

    pow_requirement: float = DEFAULT_POW_REQUIREMENT
    topics: frozenset[bytes] | None = None
    """None: the bloom filter decides."""
    bloom: int = FULL_BLOOM

    @property
    def wants_all_topics(self) -> bool:
        """Whether only the proof of work decides."""
        return self.topics is None and self.bloom == FULL_BLOOM

    def wants(self, envelope: Envelope) -> bool:
        """Tell whether the peer wants `envelope`."""
        return self.wants_topic(envelope.topic) and envelope.reaches(self.pow_requirement)

    def wants_topic(self, topic: bytes) -> bool:
        """Tell whether the peer wants envelopes of `topic`, of enough proof of work."""
        if self.topics is not None:
            return topic in self.topics
        return self.bloom == FULL_BLOOM or bloom_matches(self.bloom, topic_bloom(topic))

    def changed_by(self, options: StatusOptions) -> Interest:
        """Return the interest after a packet with `options`.

        Raises:
            StatusError: the requirement is no number that makes sense, or the bloom filter has
                another size than 64 or 0 bytes.
        """
        requirement = self.pow_requirement
        if options.pow_requirement is not None:
            requirement = options.pow_requirement
            if not (math.isfinite(requirement) and requirement >= 0):
                raise StatusError(f"a PoW requirement of {requirement} makes no sense")
        if options.topic_interest is not None:
            topics = frozenset(options.topic_interest)
            return Interest(requirement, topics)
        if options.bloom_filter is not None:
            return Interest(requirement, None, _bloom(options.bloom_filter))
        return replace(self, pow_requirement=requirement)


def _bloom(data: bytes) -> int:
    try:
        return parse_bloom(data) if data else FULL_BLOOM
    except BloomError as error:
        raise StatusError(str(error)) from error
