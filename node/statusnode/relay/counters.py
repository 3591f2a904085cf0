"""What the relay counts, under the names that the reference's metrics have.

Plain integers: whoever renders them reads them; nothing here knows of metrics.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Final

SIZE_BOUNDS: Final = tuple(256 * 4**power for power in range(10))
"""Upper bounds of the size histogram, in bytes; one more bucket takes what is larger."""


def _zeros(*names: str) -> dict[str, int]:
    return dict.fromkeys(names, 0)


@dataclass(slots=True)
class RelayCounters:
    """Counters since the start of the relay; each name is `waku_<field>` with `_total` behind it,
    and a dictionary is a counter with one label.
    """

    envelopes_received: int = 0
    envelopes_validated: int = 0
    envelopes_rejected: dict[str, int] = field(
        default_factory=lambda: _zeros("failed_read", "invalid_data", "invalid_settings_changed")
    )
    """By reason; a packet each."""
    envelopes_cache_failures: dict[str, int] = field(
        default_factory=lambda: _zeros(
            "in_future",
            "very_old",
            "expired",
            "oversized",
            "low_pow",
            "no_bloom_match",
            "no_topic_interest_match",
        )
    )
    """By type."""
    envelopes_cached: dict[str, int] = field(default_factory=lambda: _zeros("hit", "miss", "clear"))
    """By cache: known already, new, expired."""
    rate_limits_processed: int = 0
    rate_limits_exceeded: dict[str, int] = field(default_factory=lambda: _zeros("ip", "peer_id"))
    """By type."""
    size_buckets: list[int] = field(default_factory=lambda: [0] * (len(SIZE_BOUNDS) + 1))
    """Histogram `waku_envelopes_size_bytes` of new envelopes, not cumulative."""
    size_sum: int = 0
    envelopes_sent: int = 0
    """Ours: envelopes written to peers, once for each."""
    bundles_sent: int = 0
    """Ours: packets that carried them."""
    envelopes_deferred: int = 0
    """Ours: envelopes taken back from the outbox of a peer that does not read."""
    envelopes_evicted: int = 0
    """Ours: envelopes that left the pool before their time because it was full."""

    def sized(self, size: int) -> None:
        """Count a new envelope of `size` bytes."""
        self.size_buckets[bisect_left(SIZE_BOUNDS, size)] += 1
        self.size_sum += size
