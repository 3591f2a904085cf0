"""What a world believes of its canary."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from statusfleet.plan import CanaryVerdict
from statusfleet.worlds.canary import read_verdict, timely
from statusfleet.worlds.protocol import CanaryWish

WISH = CanaryWish((), (), 60.0, 10.0, 0.002, SecretStr("x"))
PASSED = CanaryVerdict(True, 1_000_000.0, 8.0)


def test_a_verdict_holds_until_the_next_runs_are_overdue() -> None:
    assert timely(PASSED, WISH, PASSED.finished_at + 240) == PASSED
    overdue = timely(PASSED, WISH, PASSED.finished_at + 260)
    assert overdue is not None
    assert not overdue.passed
    assert overdue.failures == (
        "running the canary: its last run ended at 1970-01-12 13:46:40 UTC",
    )


def test_what_is_said_of_a_hanging_canary_does_not_change_with_time() -> None:
    assert timely(PASSED, WISH, PASSED.finished_at + 260) == timely(PASSED, WISH, 2_000_000.0)


def test_nothing_is_overdue_before_the_first_run_or_where_none_is_wished() -> None:
    assert timely(None, WISH, 1.0) is None
    assert timely(PASSED, None, 2_000_000.0) == PASSED


@pytest.mark.parametrize(
    "line",
    [
        "ready",
        "[" * 100_000,
        '{"passed": true, "finishedAt": NaN, "latencyMs": null, "failures": []}',
        '{"passed": true, "finishedAt": 1e300, "latencyMs": null, "failures": []}',
        '{"passed": true, "finishedAt": -1e18, "latencyMs": null, "failures": []}',
        '{"passed": true, "finishedAt": 1, "latencyMs": "soon", "failures": []}',
        '{"passed": true, "finishedAt": 1, "latencyMs": null, "failures": 1}',
    ],
)
def test_what_no_canary_says_is_no_verdict(line: str) -> None:
    assert read_verdict(line) is None


def test_a_verdict_is_what_the_canary_says() -> None:
    line = '{"passed": true, "finishedAt": 1000000, "latencyMs": 8, "failures": []}'
    found = read_verdict(line)
    assert found is not None
    assert found[0] == PASSED
