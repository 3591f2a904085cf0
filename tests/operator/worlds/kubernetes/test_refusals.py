"""Why no pod is made for a member: what is taken from the Events of its StatefulSet."""

from __future__ import annotations

from typing import Any

from statusfleet.plan import MemberId
from statusfleet.worlds.kubernetes.records import Child, PodRecord, Snapshot, StatefulSetRecord
from statusfleet.worlds.kubernetes.refusals import refusal
from statusfleet.worlds.kubernetes.seeing import no_pod, podless

QUOTA = 'pods "eth-dev-relayer-0-0" is forbidden: exceeded quota: few, requested: pods=1'
FAILED = "create Pod eth-dev-relayer-0-0 in StatefulSet eth-dev-relayer-0 failed error: " + QUOTA


def event(reason: str, minute: int, message: str = "") -> dict[str, Any]:
    moment = f"2026-01-01T00:{minute:02}:00Z"
    return {"reason": reason, "message": message, "lastTimestamp": moment}


def test_the_last_attempt_that_failed_is_quoted_in_the_server_s_words() -> None:
    older = event("FailedCreate", 1, "create Pod a in StatefulSet b failed error: other")
    assert refusal([event("FailedCreate", 2, FAILED), older]) == QUOTA


def test_an_attempt_that_went_well_since_leaves_nothing_to_say() -> None:
    assert refusal([event("FailedCreate", 1, FAILED), event("SuccessfulCreate", 2)]) == ""
    assert refusal([event("SuccessfulCreate", 1), event("FailedCreate", 2, FAILED)]) == QUOTA


def test_other_events_say_nothing_of_attempts() -> None:
    later = event("SuccessfulDelete", 3, "delete Pod a in StatefulSet b successful")
    assert refusal([event("FailedCreate", 1, FAILED), later]) == QUOTA
    assert refusal([]) == ""


def test_an_event_of_the_newer_kind_has_its_moment_elsewhere() -> None:
    newer = {
        "reason": "FailedCreate",
        "message": FAILED,
        "lastTimestamp": None,
        "eventTime": "2026-01-01T00:05:00.123456Z",
    }
    assert refusal([event("SuccessfulCreate", 1), newer]) == QUOTA


def test_a_long_refusal_is_cut() -> None:
    assert len(refusal([event("FailedCreate", 1, "x" * 5000)])) < 500


def test_a_known_refusal_is_told_at_once_and_else_where_to_look() -> None:
    assert no_pod("eth-dev-relayer-0", 1.0, QUOTA) == f"no pod is made for it: {QUOTA}"
    assert no_pod("eth-dev-relayer-0", 1.0) == ""
    assert "kubectl describe statefulset eth-dev-relayer-0" in no_pod("eth-dev-relayer-0", 60.0)


def test_only_stateful_sets_that_are_there_and_lack_their_pod_are_asked_about() -> None:
    members = [MemberId("relayer", ordinal) for ordinal in range(3)]
    sets = {
        f"s-{one.ordinal}": StatefulSetRecord(Child("StatefulSet", f"s-{one.ordinal}", member=one))
        for one in members[:2]
    }
    pods = {members[0]: PodRecord("s-0-0", "u", members[0], deleting=True)}
    assert podless(Snapshot(stateful_sets=sets), ["s-0", "s-1", "s-2"], pods) == ("s-1",)
