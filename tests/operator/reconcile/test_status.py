"""The status that people read: complete, stable, and within its bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from statusfleet.api.status import ConditionType, FleetStatus
from statusfleet.plan import CanaryVerdict
from statusfleet.reconcile.conditions import Finding
from statusfleet.reconcile.reasons import Reason
from statusfleet.reconcile.showing import SinkState
from statusfleet.reconcile.status import fleet_status, going_status, troubled_status
from support.fleet_fakes import Stage, manifest, with_relayers

NOW = 1_700_000_000.0


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(one for one in status["conditions"] if one["type"] == kind)


async def test_a_whole_fleet_is_ready(stage: Stage) -> None:
    fleet = manifest()
    report = await stage.grown(fleet)
    status = fleet_status(fleet, report, {}, NOW)
    FleetStatus.model_validate(status)
    assert (status["phase"], status["ready"]) == ("Ready", "3/3")
    assert status["roles"]["relayer"] == {"desired": 2, "ready": 2, "published": 2}
    assert [member["name"] for member in status["members"]][:1] == ["relayer-0"]
    assert all(member["enode"].startswith("enode://") for member in status["members"])
    assert (status["tree"]["seq"], status["tree"]["records"]) == (1, 3)
    assert [one["type"] for one in status["conditions"]] == [str(kind) for kind in ConditionType]


async def test_nothing_moves_while_nothing_happens(stage: Stage) -> None:
    fleet = manifest()
    report = await stage.grown(fleet)
    status = fleet_status(fleet, report, {}, NOW)
    assert fleet_status(fleet, report, status, NOW + 60) == status


async def test_a_condition_keeps_its_time_until_its_status_changes(stage: Stage) -> None:
    fleet = manifest()
    report = await stage.grown(fleet)
    status = fleet_status(fleet, report, {}, NOW)
    stage.world.ready.discard("relayer-1")
    stage.world.verdict = CanaryVerdict(True, NOW)
    later = fleet_status(fleet, await stage.passes(fleet), status, NOW + 60)
    assert condition(later, "Ready")["lastTransitionTime"] == "2023-11-14T22:14:20Z"
    assert (
        condition(later, "AddressesReady")["lastTransitionTime"]
        == condition(status, "AddressesReady")["lastTransitionTime"]
    )


async def test_phases_follow_each_other(stage: Stage) -> None:
    fleet = manifest()
    begun = fleet_status(fleet, await stage.passes(fleet), {}, NOW)
    assert begun["phase"] == "Pending"
    stage.world.ready = {"relayer-0"}
    partly = fleet_status(fleet, await stage.passes(fleet), begun, NOW)
    assert partly["phase"] == "Progressing"
    whole = fleet_status(fleet, await stage.grown(fleet), partly, NOW)
    assert whole["phase"] == "Ready"
    stage.world.ready.discard("relayer-0")
    assert fleet_status(fleet, await stage.passes(fleet), whole, NOW)["phase"] == "Degraded"
    still = manifest(paused=True)
    assert fleet_status(still, await stage.passes(still), whole, NOW)["phase"] == "Paused"


async def test_many_members_are_counted_and_200_of_them_listed(stage: Stage) -> None:
    fleet = with_relayers(210)
    status = fleet_status(fleet, await stage.passes(fleet), {}, NOW)
    FleetStatus.model_validate(status)
    assert len(status["members"]) == 200
    assert status["roles"]["relayer"]["desired"] == 210


async def test_long_texts_are_cut(stage: Stage) -> None:
    fleet = manifest()
    report = await stage.passes(fleet)
    long = Finding(ConditionType.READY, "False", Reason.BLOCKED, "x" * 5000)
    status = fleet_status(fleet, replace(report, findings=(long, *report.findings[1:])), {}, NOW)
    FleetStatus.model_validate(status)
    assert condition(status, "Ready")["message"].endswith("…")


async def test_trouble_is_told_beside_what_was_known(stage: Stage) -> None:
    fleet = manifest()
    whole = fleet_status(fleet, await stage.grown(fleet), {}, NOW)
    trouble = Finding(ConditionType.PROGRESSING, "True", Reason.RETRYING, "no answer in time")
    status = troubled_status([trouble], 4, whole, NOW + 9)
    FleetStatus.model_validate(status)
    assert condition(status, "Progressing")["reason"] == "Retrying"
    assert condition(status, "Ready") == condition(whole, "Ready")
    assert status["members"] == whole["members"]


async def test_a_spec_that_no_pass_has_seen_is_not_called_ready(stage: Stage) -> None:
    fleet = manifest()
    whole = fleet_status(fleet, await stage.grown(fleet), {}, NOW) | {"observedGeneration": 3}
    trouble = Finding(ConditionType.PROGRESSING, "True", Reason.RETRYING, "no answer in time")
    assert troubled_status([trouble], 4, whole, NOW)["observedGeneration"] == 3
    assert troubled_status([trouble], 1, {}, NOW)["observedGeneration"] == 0
    wrong = Finding(ConditionType.READY, "False", Reason.INVALID_SPEC, "spec: is required")
    assert troubled_status([wrong], 4, whole, NOW)["observedGeneration"] == 4


async def test_a_fleet_that_is_shown_nowhere_any_more_says_so_in_every_row(stage: Stage) -> None:
    fleet = manifest()
    whole = fleet_status(fleet, await stage.grown(fleet), {}, NOW)
    assert any(member["published"] for member in whole["members"])
    held = (SinkState("embedded", "Pending"), SinkState("zoneFile:x", "Failed", 3, "it is away"))
    waiting = going_status("waiting", 4, whole, NOW + 9, sinks=held)
    FleetStatus.model_validate(waiting)
    assert condition(waiting, "TreePublished") == condition(whole, "TreePublished")
    assert [(sink["name"], sink["state"]) for sink in waiting["tree"]["sinks"]] == [
        ("embedded", "Pending"),
        ("zoneFile:x", "Failed"),
    ]
    status = going_status("waiting", 4, whole, NOW + 9, unpublished=True)
    FleetStatus.model_validate(status)
    assert (status["phase"], condition(status, "Ready")["reason"]) == ("Deleting", "Deleting")
    for kind in ("TreePublished", "TreePropagated"):
        told = condition(status, kind)
        assert (told["status"], told["reason"]) == ("False", "Deleting")
    assert not any(member["published"] for member in status["members"])
    assert {count["published"] for count in status["roles"].values()} == {0}
    tree = status["tree"]
    assert (tree["records"], [sink["state"] for sink in tree["sinks"]]) == (0, ["Pending"])
    assert (tree["url"], tree["seq"]) == (whole["tree"]["url"], whole["tree"]["seq"])
    assert "publishedAt" not in tree
    FleetStatus.model_validate(going_status("waiting", 4, {}, NOW, unpublished=True))


def test_a_status_that_somebody_spoiled_is_no_obstacle() -> None:
    spoiled = {"conditions": [{"type": "Ready"}, {"status": 3}]}
    finding = Finding(ConditionType.READY, "False", Reason.INVALID_SPEC, "spec: is required")
    status = troubled_status([finding], 1, spoiled, NOW, phase="Degraded")
    assert [one["reason"] for one in status["conditions"]] == ["InvalidSpec"]


async def test_a_sink_that_does_not_let_go_of_the_tree_has_a_row_of_its_own(stage: Stage) -> None:
    fleet = manifest()
    report = replace(await stage.grown(fleet), leftovers={"zoneFile:old": "it is not ours"})
    status = fleet_status(fleet, report, {}, NOW)
    FleetStatus.model_validate(status)
    embedded, old = status["tree"]["sinks"]
    assert (embedded["name"], embedded["state"]) == ("embedded", "Published")
    assert (old["name"], old["state"]) == ("zoneFile:old", "Failed")
    assert "it is not ours" in old["message"]
    assert "spec.deletion.tree to Keep" in old["message"]


async def test_rows_of_sinks_stay_within_their_bound(stage: Stage) -> None:
    fleet = manifest()
    report = replace(
        await stage.grown(fleet),
        leftovers={f"zoneFile:old-{i}": "it is not ours" for i in range(20)},
    )
    status = fleet_status(fleet, report, {}, NOW)
    FleetStatus.model_validate(status)
    assert len(status["tree"]["sinks"]) == 16
    assert status["tree"]["sinks"][0]["name"] == "embedded"
