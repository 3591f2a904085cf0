"""How long envelopes wait for company."""

from __future__ import annotations

import pytest

from statusnode.relay.flush import FRAMES_PER_SECOND, LONGEST, QUIET, FlushPolicy


def run(frames_a_flush: int, seconds: float) -> list[float]:
    """Flush whenever that is due, as under constant load; return the delays."""
    policy, now, delays = FlushPolicy(), 100.0, []
    while now < 100 + seconds:
        delays.append(policy.delay(now))
        now += delays[-1]
        policy.flushed(frames_a_flush, now)
    return delays


def test_when_quiet_an_envelope_waits_two_milliseconds() -> None:
    policy = FlushPolicy()
    for second in range(100, 110):
        assert policy.delay(second) == QUIET
        policy.flushed(10, second)


def test_one_receiver_is_never_kept_waiting() -> None:
    assert max(run(1, 2)) == QUIET


def test_many_receivers_share_the_frames_of_a_second() -> None:
    delays = run(10, 5)
    assert len(delays) * 10 <= FRAMES_PER_SECOND * 5.2
    assert max(delays) <= 10 / FRAMES_PER_SECOND + 0.001


def test_nothing_ever_waits_longer_than_with_the_reference() -> None:
    assert max(run(5000, 10)) <= LONGEST


def test_after_a_rest_the_first_flush_is_quick_again() -> None:
    policy = FlushPolicy()
    for _ in range(100):
        policy.flushed(100, 50.0)
    assert policy.delay(50.0) == pytest.approx(LONGEST)
    assert policy.delay(51.0) == QUIET
