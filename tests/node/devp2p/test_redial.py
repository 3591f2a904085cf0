"""How long a static node is left alone."""

from __future__ import annotations

import pytest

from statusnode.devp2p.redial import EagerRedial, SteadyRedial


@pytest.mark.parametrize(
    ("session_seconds", "wait"), [(None, 35), (0.0, 35), (10.0, 25), (35.0, 0), (3600.0, 0)]
)
def test_a_foreign_node_is_dialed_no_sooner_than_35_seconds_after_the_last_time(
    session_seconds: float | None, wait: float
) -> None:
    assert SteadyRedial(35).after(session_seconds) == wait


def test_a_fleet_peer_is_dialed_again_at_once_then_ever_less() -> None:
    redial = EagerRedial(35, uniform=lambda low, high: 1.0)
    waits = [redial.after(None) for _ in range(10)]
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 35, 35]


def test_a_session_that_lasted_starts_the_count_anew_and_a_short_one_does_not() -> None:
    redial = EagerRedial(35, uniform=lambda low, high: 1.0)
    waits = [redial.after(seconds) for seconds in (None, None, 1.0, 60.0, None)]
    assert waits == [0.2, 0.4, 0.8, 0.2, 0.4]


def test_chance_moves_a_wait_by_a_fifth_at_most() -> None:
    waits = [EagerRedial(35).after(None) for _ in range(100)]
    assert min(waits) >= 0.16
    assert max(waits) <= 0.24
