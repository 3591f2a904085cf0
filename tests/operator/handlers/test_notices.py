"""What `kubectl describe` is told: changes, each once, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from statusfleet.handlers.notices import (
    LASTING_SECONDS,
    Notice,
    Patience,
    notices,
    restarts,
    unused,
)
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


NOW = 1_700_000_000.0
REASONS = {"AddressesReady": "AddressMissing", "Ready": "MembersNotReady"}


def lacking(kind: str, generation: int) -> dict[str, Any]:
    found = {"observedGeneration": generation, **status(**{kind: "False"})}
    found["conditions"][0] |= {"reason": REASONS[kind], "message": "relayer-2: it is so"}
    return found


@pytest.mark.parametrize("kind", REASONS)
@pytest.mark.parametrize("lasts", [True, False])
def test_what_an_added_member_lacks_at_first_is_a_warning_only_when_it_lasts(
    kind: str, *, lasts: bool
) -> None:
    patience = Patience()
    well, without = {"observedGeneration": 1, **status(**{kind: "True"})}, lacking(kind, 2)
    assert list(patience.notices(well, without, NOW)) == []
    assert patience.next_look == NOW + LASTING_SECONDS
    after = without if lasts else {**well, "observedGeneration": 2}
    found = list(patience.notices(without, after, NOW + LASTING_SECONDS))
    told = Notice(REASONS[kind], f"{kind}: relayer-2: it is so", warning=True)
    assert [notice for notice in found if notice.warning] == ([told] if lasts else [])
    assert patience.next_look is None
    assert list(patience.notices(after, after, NOW + 2 * LASTING_SECONDS)) == []


def test_members_that_are_reached_one_after_the_other_are_worth_a_word_once() -> None:
    patience = Patience()
    some, whole = status(Reachable="Unknown"), status(Reachable="True")
    found = [list(patience.notices(some, whole, NOW + second)) for second in range(3)]
    assert [len(told) for told in found] == [1, 0, 0]
    lost = status(Reachable="False")
    told = [*patience.notices(whole, lost, NOW + 3), *patience.notices(lost, whole, NOW + 4)]
    assert [notice.warning for notice in told] == [True, False]


def test_an_address_that_a_new_fleet_never_gets_is_told_of() -> None:
    patience, without = Patience(), lacking("AddressesReady", 1)
    assert list(patience.notices({}, without, NOW)) == []
    assert len(list(patience.notices(without, without, NOW + LASTING_SECONDS))) == 1


def test_the_next_operator_does_not_tell_again_what_lasts() -> None:
    patience, without = Patience(), lacking("AddressesReady", 1)
    assert list(patience.notices(without, without, NOW)) == []
    assert patience.next_look is None


def test_a_member_that_fails_without_an_edit_is_warned_of_at_once() -> None:
    before = {"observedGeneration": 2, **status(Ready="True")}
    assert [notice.warning for notice in notices(before, lacking("Ready", 2))] == [True]


def test_a_deletion_that_somebody_wants_is_no_warning() -> None:
    after = status(Ready="False", TreePublished="False")
    for one in after["conditions"]:
        one["reason"] = "Deleting"
    found = said(status(Ready="True", TreePublished="True"), after)
    assert [notice.warning for notice in found] == [False, False]


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
