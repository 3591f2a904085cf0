"""Rate limits by address and by node."""

from __future__ import annotations

from statusnode.relay.counters import RelayCounters
from statusnode.relay.limiter import Limiter
from statusnode.relay.settings import LimiterSettings, RateLimits

A, B = b"a" * 32, b"b" * 32


def limiter(**settings: object) -> tuple[Limiter, RelayCounters]:
    counters = RelayCounters()
    return Limiter(LimiterSettings(**settings), counters), counters  # type: ignore[arg-type]


def test_without_limits_packets_are_only_counted() -> None:
    limits, counters = limiter()
    assert all(limits.tolerates("10.0.0.1", A, 10**9, 0.0) for _ in range(100))
    assert counters.rate_limits_processed == 100
    assert counters.rate_limits_exceeded == {"ip": 0, "peer_id": 0}


def test_what_exceeds_is_counted_and_tolerated() -> None:
    limits, counters = limiter(packet_limits=RateLimits(20, 10))
    assert all(limits.tolerates("10.0.0.1", A, 1, 0.0) for _ in range(25))
    assert counters.rate_limits_exceeded == {"ip": 5, "peer_id": 15}


def test_nodes_of_one_address_share_its_limit() -> None:
    limits, counters = limiter(packet_limits=RateLimits(10, 0))
    for number in range(12):
        limits.tolerates("10.0.0.1", A if number % 2 else B, 1, 0.0)
    limits.tolerates("10.0.0.2", A, 1, 0.0)
    assert counters.rate_limits_exceeded == {"ip": 2, "peer_id": 0}


def test_tokens_come_back_ten_times_a_second() -> None:
    limits, counters = limiter(packet_limits=RateLimits(0, 10))
    for _ in range(10):
        limits.tolerates("", A, 1, 5.0)
    limits.tolerates("", A, 1, 5.05)
    assert counters.rate_limits_exceeded["peer_id"] == 1
    limits.tolerates("", A, 1, 5.11)
    assert counters.rate_limits_exceeded["peer_id"] == 1
    for _ in range(11):
        limits.tolerates("", A, 1, 60.0)
    assert counters.rate_limits_exceeded["peer_id"] == 2


def test_bytes_are_tokens_too_and_an_excess_takes_none() -> None:
    limits, counters = limiter(byte_limits=RateLimits(0, 100))
    limits.tolerates("", A, 60, 0.0)
    limits.tolerates("", A, 60, 0.0)
    limits.tolerates("", A, 40, 0.0)
    assert counters.rate_limits_exceeded["peer_id"] == 1


def test_a_packet_that_breaks_both_limits_exceeds_once() -> None:
    limits, counters = limiter(packet_limits=RateLimits(1, 0), byte_limits=RateLimits(10, 0))
    limits.tolerates("x", A, 5, 0.0)
    limits.tolerates("x", A, 50, 0.0)
    assert counters.rate_limits_exceeded["ip"] == 1


def test_from_the_tolerance_on_whoever_exceeds_is_dropped() -> None:
    limits, _ = limiter(packet_limits=RateLimits(0, 1), tolerance=3)
    assert limits.tolerates("", A, 1, 0.0)
    assert [limits.tolerates("", A, 1, 0.0) for _ in range(3)] == [True, True, False]
    assert limits.tolerates("", B, 1, 0.0)
    assert not limits.tolerates("", B, 1, 0.0)


def test_the_exempt_are_never_limited() -> None:
    limits, counters = limiter(
        packet_limits=RateLimits(1, 1),
        tolerance=1,
        exempt_addresses=frozenset({"10.0.0.9"}),
        exempt_nodes=frozenset({A}),
    )
    assert all(limits.tolerates("10.0.0.9", A, 1, 0.0) for _ in range(9))
    assert counters.rate_limits_exceeded == {"ip": 0, "peer_id": 0}


def test_many_addresses_are_not_remembered_for_ever() -> None:
    limits, _ = limiter(packet_limits=RateLimits(10, 0))
    for number in range(20_000):
        limits.tolerates(str(number), A, 1, number / 1000)
    assert len(limits._address_packets._buckets) <= 4096
