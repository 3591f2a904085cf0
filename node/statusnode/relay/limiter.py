"""Rate limits: token buckets by address and by node, a token a packet and a token a byte.

As in status-go, what exceeds is counted and still processed, and takes no tokens. Only where a
tolerance is set do excesses end sessions: they are counted for all peers together and for ever,
and from the tolerance on whoever exceeds is dropped. One departure: a bucket fills evenly, where
the reference rounds to whole tokens a tenth of a second, so that limits below 5 never fill again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from statusnode.relay.counters import RelayCounters
from statusnode.relay.settings import LimiterSettings

_REFILL_SECONDS: Final = 0.1
_PRUNE_AT: Final = 4096


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float

    def take(self, cost: int, rate: int, now: float) -> bool:
        """Take `cost` tokens, or none and return False."""
        steps = int((now - self.filled_at) / _REFILL_SECONDS)
        if steps > 0:
            self.tokens = min(rate, self.tokens + rate * steps * _REFILL_SECONDS)
            self.filled_at += steps * _REFILL_SECONDS
        if cost > self.tokens:
            return False
        self.tokens -= cost
        return True


class _Buckets:
    """The buckets of one limit. Those that have had time to fill are forgotten, not kept."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._buckets: dict[str | bytes, _Bucket] = {}

    def take(self, key: str | bytes, cost: int, now: float) -> bool:
        if self._rate == 0:
            return True
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= _PRUNE_AT:
                self._buckets = {k: b for k, b in self._buckets.items() if now - b.filled_at < 1}
            bucket = self._buckets[key] = _Bucket(self._rate, now)
        return bucket.take(cost, self._rate, now)


class Limiter:
    """All limits of a node."""

    def __init__(self, settings: LimiterSettings, counters: RelayCounters) -> None:
        self.settings = settings
        self._counters = counters
        self._address_excesses = 0
        self._node_excesses = 0
        self._address_packets = _Buckets(settings.packet_limits.per_address)
        self._address_bytes = _Buckets(settings.byte_limits.per_address)
        self._node_packets = _Buckets(settings.packet_limits.per_peer)
        self._node_bytes = _Buckets(settings.byte_limits.per_peer)

    def tolerates(self, address: str, node_id: bytes, size: int, now: float) -> bool:
        """Charge a packet of `size` bytes at `now` (seconds); False if its sender must go."""
        counters, settings = self._counters, self.settings
        counters.rate_limits_processed += 1
        if address not in settings.exempt_addresses:
            within = self._address_packets.take(address, 1, now)
            if not self._address_bytes.take(address, size, now) or not within:
                counters.rate_limits_exceeded["ip"] += 1
                self._address_excesses += 1
                if 0 < settings.tolerance <= self._address_excesses:
                    return False
        if node_id not in settings.exempt_nodes:
            within = self._node_packets.take(node_id, 1, now)
            if not self._node_bytes.take(node_id, size, now) or not within:
                counters.rate_limits_exceeded["peer_id"] += 1
                self._node_excesses += 1
                if 0 < settings.tolerance <= self._node_excesses:
                    return False
        return True
