"""The metrics of the relay, under status-go's names (`waku_*`)."""

from __future__ import annotations

from statusnode.metrics.text import Family, counter, counters_by, gauge, histogram
from statusnode.relay.counters import SIZE_BOUNDS, RelayCounters


def relay_families(counters: RelayCounters) -> list[Family]:
    """Return what the relay has counted."""
    return [
        counter(
            "waku_envelopes_received_total",
            "Number of envelopes received.",
            counters.envelopes_received,
        ),
        counter(
            "waku_envelopes_validated_total",
            "Number of envelopes processed successfully.",
            counters.envelopes_validated,
        ),
        counters_by(
            "waku_envelopes_rejected_total",
            "Number of packets rejected, by reason.",
            "reason",
            counters.envelopes_rejected,
        ),
        counters_by(
            "waku_envelopes_cache_failures_total",
            "Number of envelopes that were not kept, by what is wrong with them.",
            "type",
            counters.envelopes_cache_failures,
        ),
        counters_by(
            "waku_envelopes_cached_total",
            "Number of envelopes known already (hit), new (miss) and expired (clear).",
            "cache",
            counters.envelopes_cached,
        ),
        histogram(
            "waku_envelopes_size_bytes",
            "Size of new envelopes in bytes.",
            SIZE_BOUNDS,
            counters.size_buckets,
            counters.size_sum,
        ),
        counter(
            "waku_rate_limits_processed_total",
            "Number of packets that the rate limiter has seen.",
            counters.rate_limits_processed,
        ),
        counters_by(
            "waku_rate_limits_exceeded_total",
            "Number of times that a rate limit was exceeded.",
            "type",
            counters.rate_limits_exceeded,
        ),
        counter(
            "waku_envelopes_sent_total",
            "Number of envelopes written to peers, once for each peer.",
            counters.envelopes_sent,
        ),
        counter(
            "waku_bundles_sent_total",
            "Number of packets that carried them.",
            counters.bundles_sent,
        ),
        counter(
            "waku_envelopes_deferred_total",
            "Number of envelopes taken back from the outbox of a peer that does not read.",
            counters.envelopes_deferred,
        ),
        counter(
            "waku_envelopes_evicted_total",
            "Number of envelopes that left the full pool before their time.",
            counters.envelopes_evicted,
        ),
    ]


def pool_families(envelopes: int, size_bytes: int) -> list[Family]:
    """Return how full the pool is."""
    return [
        gauge("waku_pool_envelopes", "Envelopes in the pool.", envelopes),
        gauge("waku_pool_bytes", "Bytes of the envelopes in the pool.", size_bytes),
    ]
