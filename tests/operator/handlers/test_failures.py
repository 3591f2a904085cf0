"""Failed passes in a row: how long to wait, whom to tell."""

from __future__ import annotations

import pytest

from statusfleet.handlers.failures import Failures
from statusfleet.kube.errors import ForbiddenError, TransientError
from statusfleet.store import CorruptStateError, StoreError

NOW = 1_700_000_000.0


def test_what_fails_for_a_while_is_tried_again_later_and_later_and_at_least_each_minute() -> None:
    failures = Failures()
    waits = [failures.add(StoreError("away"), NOW).wait_seconds for _ in range(30)]
    assert all(0.8 * 2**n <= wait <= 1.2 * 2**n for n, wait in enumerate(waits[:6]))
    assert 40 < max(waits) <= 72
    assert len({wait / 60 for wait in waits[10:]}) > 1  # spread, for fleets that failed together
    failures.clear()
    assert failures.add(StoreError("away"), NOW).wait_seconds <= 1.2


def test_a_server_that_says_when_to_come_again_is_believed() -> None:
    assert Failures().add(TransientError("list", "busy", retry_after=30), NOW).wait_seconds >= 24


@pytest.mark.parametrize(
    "error", [ForbiddenError("patch pods", "no right"), CorruptStateError("half of it is missing")]
)
def test_what_waits_for_a_person_is_told_at_once(error: Exception) -> None:
    found = Failures().add(error, NOW)
    assert found.blocked
    assert found.wait_seconds > 90


def test_once_is_nothing_and_the_same_words_are_not_said_twice_in_a_row() -> None:
    failures = Failures()
    words = ["away", "away", "full", "away"]
    found = [failures.add(StoreError(word), NOW) for word in words]
    assert [one.lasting for one in found] == [False, True, True, True]
    assert [one.is_news for one in found] == [True, False, True, True]
    assert failures.add(StoreError("away"), NOW + 60).is_news
    failures.clear()
    assert failures.add(StoreError("away"), NOW + 60).is_news
