"""One request of a peer in so many seconds."""

from __future__ import annotations

from statusnode.mailserver.limiter import RequestLimiter


def test_a_peer_may_ask_again_when_more_than_the_window_has_passed() -> None:
    limiter = RequestLimiter(5)
    assert limiter.accepts(b"a", 100)
    assert not limiter.accepts(b"a", 105)
    assert limiter.accepts(b"a", 105.1)


def test_a_refused_request_does_not_prolong_the_window() -> None:
    limiter = RequestLimiter(5)
    assert limiter.accepts(b"a", 100)
    assert not limiter.accepts(b"a", 104)
    assert limiter.accepts(b"a", 106)


def test_peers_do_not_count_for_each_other() -> None:
    limiter = RequestLimiter(5)
    assert limiter.accepts(b"a", 100)
    assert limiter.accepts(b"b", 100)


def test_no_window_means_no_limit() -> None:
    limiter = RequestLimiter(0)
    assert all(limiter.accepts(b"a", 100) for _ in range(10))
    assert len(limiter) == 0


def test_peers_whose_window_has_passed_are_forgotten() -> None:
    limiter = RequestLimiter(5)
    for n in range(100):
        limiter.accepts(n.to_bytes(2, "big"), 100 + n)
    assert len(limiter) == 6
