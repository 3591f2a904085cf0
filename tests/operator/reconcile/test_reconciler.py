"""What one pass decides, told as stories: a pretended world, a real memory, a clock of our own.

observe ─► plan ─► apply ─► publish ─► prune ─► probe ─► report
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from statusfleet.api.status import ConditionType
from statusfleet.plan import CanaryVerdict
from statusfleet.reconcile.conditions import Finding
from statusfleet.reconcile.fleet import Report
from statusfleet.reconcile.reasons import Reason
from support.fleet_fakes import Stage, manifest, with_relayers


def found(report: Report, kind: ConditionType) -> Finding:
    return next(finding for finding in report.findings if finding.type is kind)


async def test_the_tree_waits_for_all_members_that_are_still_starting(stage: Stage) -> None:
    fleet = manifest()
    await stage.passes(fleet)
    stage.world.ready = {"relayer-0"}
    report = await stage.passes(fleet)
    assert report.tree is not None
    assert (report.tree.seq, report.tree.published) == (0, False)
    stage.world.ready = {"relayer-0", "relayer-1", "mailserver-0"}
    report = await stage.passes(fleet)
    assert report.tree is not None
    assert (report.tree.seq, report.tree.published, report.tree.propagated) == (1, True, True)
    assert report.tree.listed == {"relayer-0", "relayer-1", "mailserver-0"}
    assert found(report, ConditionType.READY).status == "True"


async def test_a_member_that_failed_does_not_keep_the_others_out_of_the_tree(stage: Stage) -> None:
    stage.world.messages["relayer-1"] = "TCP port 20010 is used by nginx (pid 7)"
    fleet = manifest()
    await stage.passes(fleet)
    stage.world.ready = {"relayer-0", "mailserver-0"}
    report = await stage.passes(fleet, 2)
    assert report.tree is not None
    assert report.tree.listed == {"relayer-0", "mailserver-0"}
    ready = found(report, ConditionType.READY)
    assert ready.reason is Reason.MEMBERS_NOT_READY
    assert "relayer-1: TCP port 20010 is used by nginx (pid 7)" in ready.message


async def test_a_member_that_never_becomes_ready_keeps_the_others_waiting_for_a_while_only(
    stage: Stage,
) -> None:
    fleet = manifest()
    await stage.passes(fleet)
    stage.world.ready = {"relayer-0", "mailserver-0"}
    report = await stage.passes(fleet)
    assert report.next_look == stage.time + 15
    stage.time += 15
    report = await stage.passes(fleet)
    assert report.tree is not None
    assert report.tree.listed == {"relayer-0", "mailserver-0"}


async def test_passes_over_a_fleet_that_is_as_it_should_be_change_nothing(stage: Stage) -> None:
    fleet = manifest()
    await stage.grown(fleet)
    revision = (await stage.store.read()).revision
    zones, plan = len(stage.dns.zones), stage.world.applied[-1]
    report = await stage.passes(fleet, 3)
    assert (await stage.store.read()).revision == revision
    assert len(stage.dns.zones) == zones
    assert stage.world.applied[-1] == plan
    assert report.tree is not None
    assert report.tree.seq == 1


async def test_a_new_relayer_is_one_new_record_and_one_new_number(stage: Stage) -> None:
    await stage.grown(manifest())
    grown = with_relayers(3)
    report = await stage.passes(grown)
    assert report.tree is not None
    assert report.tree.seq == 1  # it runs, but is not ready
    stage.world.ready.add("relayer-2")
    report = await stage.passes(grown)
    assert report.tree is not None
    assert (report.tree.seq, len(report.tree.listed)) == (2, 4)


async def test_a_removed_relayer_leaves_the_tree_waits_for_the_ttl_and_stops(stage: Stage) -> None:
    await stage.grown(with_relayers(3))
    shrunk = with_relayers(2)
    began = stage.time
    report = await stage.passes(shrunk)
    assert report.tree is not None
    assert report.tree.seq == 2
    assert "relayer-2" not in report.tree.listed
    assert report.leaving == {"relayer-2": began + 5}
    assert report.next_look == began + 5
    assert found(report, ConditionType.PROGRESSING).reason is Reason.LEAVING
    stage.time += 4.9
    await stage.passes(shrunk)
    assert stage.world.stopped == []
    stage.time += 0.1
    report = await stage.passes(shrunk)
    assert stage.world.stopped == [(began + 5, "relayer-2")]
    assert report.leaving == {}
    assert report.tree is not None
    assert report.tree.seq == 2


async def test_a_member_that_comes_back_before_its_time_is_not_stopped(stage: Stage) -> None:
    await stage.grown(with_relayers(3))
    await stage.passes(with_relayers(2))
    report = await stage.passes(with_relayers(3), 2)
    stage.time += 60
    await stage.passes(with_relayers(3))
    assert stage.world.stopped == []
    assert report.tree is not None
    assert report.tree.seq == 3


async def test_a_removed_member_that_was_never_published_stops_at_once(stage: Stage) -> None:
    await stage.grown(manifest())
    await stage.passes(with_relayers(3))
    await stage.passes(with_relayers(2))
    assert [name for _, name in stage.world.stopped] == ["relayer-2"]


async def test_a_member_stays_while_the_tree_without_it_cannot_be_served(stage: Stage) -> None:
    await stage.grown(with_relayers(3))
    stage.dns.refuses = "the DNS server cannot listen"
    shrunk = with_relayers(2)
    report = await stage.passes(shrunk)
    published = found(report, ConditionType.TREE_PUBLISHED)
    told = f"{stage.dns.refuses}; tried again after 2 s"
    assert (published.reason, published.message) == (Reason.SINK_FAILED, told)
    stage.time += 60
    await stage.passes(shrunk)
    assert stage.world.stopped == []
    stage.dns.refuses = ""
    await stage.passes(shrunk)
    stage.time += 5
    await stage.passes(shrunk)
    assert [name for _, name in stage.world.stopped] == ["relayer-2"]


async def test_a_member_that_dies_leaves_the_tree_and_returns_with_a_higher_number(
    stage: Stage,
) -> None:
    fleet = manifest()
    await stage.grown(fleet)
    stage.world.ready.discard("relayer-1")
    report = await stage.passes(fleet)
    assert report.tree is not None
    assert (report.tree.seq, "relayer-1" in report.tree.listed) == (2, False)
    stage.world.ready.add("relayer-1")
    report = await stage.passes(fleet)
    assert report.tree is not None
    assert (report.tree.seq, "relayer-1" in report.tree.listed) == (3, True)


async def test_a_second_start_serves_the_old_tree_at_once_and_changes_nothing(
    stage: Stage,
) -> None:
    fleet = manifest()
    await stage.grown(fleet)
    stage.restart()
    stage.world.ready.clear()
    report = await stage.passes(fleet)
    assert report.tree is not None
    assert (report.tree.seq, report.tree.published, len(report.tree.listed)) == (1, True, 3)
    stage.world.ready = {"relayer-0"}
    assert (await stage.passes(fleet)).tree == report.tree
    stage.world.ready |= set(stage.world.running)
    assert (await stage.passes(fleet)).tree == report.tree


async def test_a_tree_that_does_not_come_back_whole_is_told_of_and_tried_again(
    stage: Stage,
) -> None:
    fleet = manifest()
    await stage.grown(fleet)
    stage.restart()
    stage.dns.spoils = True
    report = await stage.passes(fleet)
    propagated = found(report, ConditionType.TREE_PROPAGATED)
    assert (propagated.reason, propagated.message) == (Reason.WALK_FAILED, "AAAA: missing")
    stage.dns.spoils = False
    report = await stage.passes(fleet)
    assert found(report, ConditionType.TREE_PROPAGATED).reason is Reason.RESOLVED


async def test_the_canary_first_runs_when_all_ready_members_are_published(stage: Stage) -> None:
    fleet = manifest()
    await stage.passes(fleet)
    stage.world.ready = {"relayer-0"}
    await stage.passes(fleet)
    assert stage.world.probes == 0
    stage.world.ready |= set(stage.world.running)
    await stage.passes(fleet)
    wish = stage.world.canary
    assert wish is not None
    assert [name for name, _ in wish.relayers] == ["relayer-0", "relayer-1"]
    assert [name for name, _ in wish.mailservers] == ["mailserver-0"]
    assert wish.mail_password.get_secret_value() == "status-offline-inbox"
    assert "status-offline-inbox" not in repr(wish)


async def test_the_canary_goes_through_ready_members_only(stage: Stage) -> None:
    fleet = manifest()
    await stage.grown(fleet)
    stage.world.ready.discard("relayer-1")
    await stage.passes(fleet)
    assert stage.world.canary is not None
    assert [name for name, _ in stage.world.canary.relayers] == ["relayer-0"]


async def test_a_failing_canary_removes_nobody_from_the_tree(stage: Stage) -> None:
    fleet = manifest()
    await stage.grown(fleet)
    sentence = "fetching from mailserver-0: rate limit exceeded"
    stage.world.verdict = CanaryVerdict(False, stage.time, None, (sentence,))
    report = await stage.passes(fleet)
    canary = found(report, ConditionType.CANARY_PASSING)
    assert (canary.status, canary.reason, canary.message) == ("False", Reason.FAILED, sentence)
    assert found(report, ConditionType.READY).status == "True"
    assert report.tree is not None
    assert report.tree.seq == 1


async def test_a_fleet_without_canary_stops_it_and_misses_nothing(stage: Stage) -> None:
    await stage.grown(manifest())
    report = await stage.passes(manifest(canary={"enabled": False}))
    assert stage.world.canary is None
    assert found(report, ConditionType.CANARY_PASSING).reason is Reason.DISABLED


async def test_a_fleet_without_a_domain_has_no_tree_and_needs_none(stage: Stage) -> None:
    report = await stage.grown(manifest(tree=None))
    assert report.tree is None
    assert stage.dns.zones == []
    assert found(report, ConditionType.TREE_PUBLISHED).reason is Reason.NOT_APPLICABLE
    assert found(report, ConditionType.READY).status == "True"
    assert stage.world.canary is not None


async def test_a_paused_fleet_is_watched_and_left_alone(stage: Stage) -> None:
    await stage.grown(manifest())
    before = len(stage.world.applied)
    stage.world.ready.discard("relayer-1")
    paused = manifest(paused=True, roles={"relayer": {"replicas": 1}})
    report = await stage.passes(paused, 3)
    assert len(stage.world.applied) == before
    assert report.tree is not None
    assert report.tree.seq == 1
    assert found(report, ConditionType.PAUSED).status == "True"


async def test_of_a_paused_fleet_an_operator_tells_what_another_has_published(
    stage: Stage,
) -> None:
    await stage.grown(manifest())
    stage.restart()
    report = await stage.passes(manifest(paused=True))
    assert report.tree is not None
    assert (report.tree.seq, len(report.tree.listed)) == (1, 3)
    for kind in (ConditionType.TREE_PUBLISHED, ConditionType.TREE_PROPAGATED):
        finding = found(report, kind)
        assert (finding.status, finding.reason) == ("Unknown", Reason.NOT_APPLICABLE)
        assert finding.message == "not looked at while the fleet is paused"
    assert found(report, ConditionType.READY).holds


async def test_a_fleet_that_comes_back_shows_no_record_before_its_member_is_ready(
    stage: Stage,
) -> None:
    fleet = manifest()
    await stage.grown(fleet)
    state = await stage.store.read()
    withdrawn = replace(state.tree, withdrawn={"uid-of-the-deleted-fleet": stage.time})
    await stage.store.write(replace(state, tree=withdrawn))
    stage.restart(grace_seconds=60.0)
    stage.world.ready.clear()
    stage.world.unready_since.clear()
    for _ in range(3):
        report = await stage.passes(fleet)
        assert report.tree is not None
        assert (stage.dns.zones, report.tree.listed) == ([], frozenset())
        stage.time += 10
    stage.world.ready = {"relayer-0"}
    report = await stage.passes(fleet)
    assert report.tree is not None
    assert (report.tree.seq, report.tree.listed) == (2, {"relayer-0"})
    assert (await stage.store.read()).tree.withdrawn == {}


async def test_a_fleet_that_comes_back_as_it_was_shows_the_tree_that_was_withdrawn(
    stage: Stage,
) -> None:
    fleet = manifest()
    await stage.grown(fleet)
    state = await stage.store.read()
    withdrawn = replace(state.tree, withdrawn={"uid-of-the-deleted-fleet": stage.time})
    await stage.store.write(replace(state, tree=withdrawn))
    stage.restart()
    report = await stage.passes(fleet)
    assert report.tree is not None
    assert (report.tree.seq, report.tree.published, len(report.tree.listed)) == (1, True, 3)
    assert (await stage.store.read()).tree.withdrawn == {}


async def test_an_invalid_edit_is_told_first_since_it_may_be_the_remedy(stage: Stage) -> None:
    fleet = manifest()
    await stage.grown(fleet)
    stage.world.ready.discard("relayer-1")
    ready = found(await stage.passes(fleet, invalid_edit="wrong"), ConditionType.READY)
    assert (ready.reason, ready.message) == (Reason.INVALID_EDIT, "wrong")


async def test_an_invalid_edit_is_told_of_while_the_fleet_goes_on(stage: Stage) -> None:
    fleet = manifest()
    await stage.grown(fleet)
    report = await stage.passes(fleet, invalid_edit="the last edit is not used: spec: is required")
    ready = found(report, ConditionType.READY)
    assert (ready.status, ready.reason) == ("False", Reason.INVALID_EDIT)
    assert report.tree is not None
    assert report.tree.published


async def test_a_signing_key_that_is_not_there_is_said_and_the_members_run(stage: Stage) -> None:
    reference = {"secretKeyRef": {"name": "tree", "key": "key"}}
    tree = {"domain": "nodes.test.example", "signingKey": reference}
    report = await stage.passes(manifest(tree=tree), 2)
    published = found(report, ConditionType.TREE_PUBLISHED)
    assert published.reason is Reason.SIGNING_REFUSED
    assert "Secret tree" in published.message
    assert set(stage.world.running) == {"relayer-0", "relayer-1", "mailserver-0"}


async def test_unreadiness_of_all_never_empties_the_tree(stage: Stage) -> None:
    fleet = manifest()
    await stage.grown(fleet)
    stage.world.ready.clear()
    report = await stage.passes(fleet)
    assert report.tree is not None
    assert len(report.tree.listed) == 2  # of three desired, half rounded up


async def test_a_flapping_member_does_not_churn_the_tree_and_a_dead_one_leaves_it_in_time(
    stage: Stage,
) -> None:
    fleet = manifest()
    stage.restart(grace_seconds=60)
    await stage.grown(fleet)
    zones = len(stage.dns.zones)
    for _ in range(20):
        stage.world.ready.discard("relayer-1")
        report = await stage.passes(fleet)
        stage.time += 59
        report = await stage.passes(fleet)
        stage.world.ready.add("relayer-1")
        report = await stage.passes(fleet)
        stage.time += 1
    assert report.tree is not None
    assert (report.tree.seq, len(stage.dns.zones)) == (1, zones)
    stage.world.ready.discard("relayer-1")
    report = await stage.passes(fleet)
    assert report.next_look == stage.time + 60
    stage.time += 60
    report = await stage.passes(fleet)
    assert report.tree is not None
    assert (report.tree.seq, "relayer-1" in report.tree.listed) == (2, False)


async def test_a_fleet_that_goes_dark_keeps_half_of_its_tree_for_as_long_as_it_takes(
    stage: Stage,
) -> None:
    fleet = manifest()
    stage.restart(grace_seconds=60)
    await stage.grown(fleet)
    stage.world.ready.clear()
    await stage.passes(fleet)
    stage.time += 24 * 3600
    report = await stage.passes(fleet, 2)
    assert report.tree is not None
    assert (report.tree.seq, len(report.tree.listed)) == (2, 2)


@pytest.mark.parametrize("spent", [1, 7])
async def test_a_number_that_was_kept_before_a_crash_is_never_used_again(
    stage: Stage, spent: int
) -> None:
    from dataclasses import replace

    fleet = manifest()
    await stage.grown(fleet)
    state = await stage.store.read()
    await stage.store.write(replace(state, tree=replace(state.tree, seq=1 + spent)))
    stage.restart()
    report = await stage.passes(fleet, 2)
    assert report.tree is not None
    assert report.tree.seq > 1 + spent


async def test_a_fleet_of_many_members_is_planned_like_any_other(stage: Stage) -> None:
    report = await stage.grown(with_relayers(100))
    assert len(report.plan.members) == 101
    assert report.tree is not None
    assert len(report.tree.listed) == 101
