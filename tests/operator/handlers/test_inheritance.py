"""An operator that is started anew says no less of a fleet than the one before it."""

from __future__ import annotations

from typing import Any

import pytest

from statusfleet.api.status import ConditionType, Truth
from statusfleet.handlers.inheritance import PATIENCE_SECONDS, Inheritance
from statusfleet.plan import Observation, Plan
from statusfleet.reconcile.conditions import Finding
from statusfleet.reconcile.fleet import Report
from statusfleet.reconcile.reasons import Reason

NOW = 1_700_000_000.0
REACHED = Finding(ConditionType.REACHABLE, "True", Reason.REACHED, "dialed from the operator")
FAILED = Finding(ConditionType.CANARY_PASSING, "False", Reason.FAILED, "post: relayer-0")
NOT_DIALED = Finding(ConditionType.REACHABLE, "Unknown", Reason.NOT_DIALED_YET, "relayer-0")
NO_VERDICT = Finding(ConditionType.CANARY_PASSING, "Unknown", Reason.NO_VERDICT_YET)
READY = Finding(ConditionType.READY, "True", Reason.ALL_READY)


def report(*findings: Finding, next_look: float | None = None) -> Report:
    plan = Plan(members=(), waiting=(), removed=(), tree=None, canary_enabled=True)
    return Report(plan, Observation(), None, (READY, *findings), next_look=next_look)


def status(*findings: Finding) -> dict[str, Any]:
    return {
        "conditions": [
            {
                "type": str(one.type),
                "status": one.status,
                "reason": str(one.reason),
                "message": one.message,
                "observedGeneration": 3,
            }
            for one in findings
        ]
    }


def test_what_was_known_stands_until_this_operator_has_looked_too() -> None:
    last = Inheritance(status(READY, REACHED, FAILED))
    said = last.fill(report(NOT_DIALED, NO_VERDICT, next_look=NOW + 300), 3, NOW + 1)
    assert said.findings == (READY, REACHED, FAILED)
    assert said.next_look == NOW + 1 + PATIENCE_SECONDS
    passed = Finding(ConditionType.CANARY_PASSING, "True", Reason.PASSED)
    assert last.fill(report(NOT_DIALED, passed), 3, NOW + 2).findings == (READY, REACHED, passed)
    # From then on it is known that nobody knows.
    later = last.fill(report(NOT_DIALED, NO_VERDICT), 3, NOW + 3)
    assert later.findings == (READY, REACHED, NO_VERDICT)


def test_the_last_word_does_not_stand_for_ever() -> None:
    last = Inheritance(status(REACHED, FAILED))
    found = report(NOT_DIALED, NO_VERDICT)
    assert last.fill(found, 3, NOW).findings == (READY, REACHED, FAILED)
    assert last.fill(found, 3, NOW + PATIENCE_SECONDS) == found


def test_what_was_said_of_another_spec_says_nothing_of_this_one() -> None:
    found = report(NOT_DIALED, NO_VERDICT)
    assert Inheritance(status(REACHED, FAILED)).fill(found, 4, NOW) == found


@pytest.mark.parametrize("truth", ["Unknown", "True"])
def test_words_that_tell_nothing_or_that_nobody_knows_are_not_repeated(truth: Truth) -> None:
    before = status(Finding(ConditionType.REACHABLE, truth, Reason.NOT_APPLICABLE))
    if truth == "True":
        before["conditions"][0]["reason"] = "SaidByALaterVersion"
    found = report(NOT_DIALED)
    assert Inheritance(before).fill(found, 3, NOW) == found
    assert Inheritance({}).fill(found, 3, NOW) == found
