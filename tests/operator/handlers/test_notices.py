"""What `kubectl describe` is told: changes, each once, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from statusfleet.handlers.notices import Notice, notices, restarts, unused
from support.fleet_observations import fleet


def status(**truths: str) -> dict[str, Any]:
    return {
        "conditions": [
            {"type": kind, "status": truth, "reason": f"{kind}{truth}", "message": ""}
            for kind, truth in truths.items()
        ]
    }


def said(before: dict[str, Any], after: dict[str, Any]) -> list[Notice]:
    return list(notices(before, after))


def test_becoming_ready_is_told() -> None:
    found = said(status(Ready="False"), status(Ready="True"))
    assert found == [Notice("ReadyTrue", "Ready is True")]


def test_losing_readiness_is_a_warning() -> None:
    found = said(status(Ready="True"), status(Ready="False"))
    assert found == [Notice("ReadyFalse", "Ready is False", warning=True)]


def test_a_fleet_that_only_begins_warns_of_nothing() -> None:
    assert said({}, status(Ready="False", TreePublished="False", CanaryPassing="Unknown")) == []


@pytest.mark.parametrize("reason", ["InvalidSpec", "Blocked", "RolloutStopped", "SinkFailed"])
def test_what_a_person_has_to_see_to_is_told_at_once_and_once(reason: str) -> None:
    def stuck(kind: str) -> dict[str, Any]:
        found = status(**{kind: "False"})
        found["conditions"][0] |= {"reason": reason, "message": "it is so"}
        return found

    for kind in ("Ready", "Progressing"):
        told = [Notice(reason, f"{kind}: it is so", warning=True)]
        assert said({}, stuck(kind)) == told
        assert said(status(**{kind: "False"}), stuck(kind)) == told
        assert said(status(**{kind: "True"}), stuck(kind)) == told
        assert said(stuck(kind), stuck(kind)) == []


def test_nothing_is_said_while_nothing_changes() -> None:
    assert said(status(Ready="True", Progressing="True"), status(Ready="True")) == []


def test_each_member_that_is_started_anew_is_named() -> None:
    assert [notice.message.split()[0] for notice in restarts(["relayer-0", "relayer-1"])] == [
        "relayer-0",
        "relayer-1",
    ]


def test_what_has_no_effect_is_told_once_for_each_spec() -> None:
    address = {"ip": "8.8.4.4", "tcp": 443, "udp": 443}
    members = [{"ordinal": 0, "address": address}]
    wish = fleet({"roles": {"relayer": {"members": members}}})
    (told,) = unused(wish, {"observedGeneration": wish.metadata.generation - 1})
    assert told.reason == "NotApplicable"
    assert told.message.startswith("spec.roles.relayer.members[0].address.udp: has no effect")
    assert not list(unused(wish, {"observedGeneration": wish.metadata.generation}))
