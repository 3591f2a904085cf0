"""What takes its time goes on when an operator is started anew, and does not begin anew.

A pretended world, a real memory, a clock of our own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from statusfleet.api import StatusFleet
from statusfleet.api.status import ConditionType
from statusfleet.plan import Plan
from statusfleet.reconcile.conditions import Finding
from statusfleet.reconcile.fleet import Reconciler, Report
from statusfleet.reconcile.publishing import TreeKeeper
from statusfleet.reconcile.reasons import Reason
from statusfleet.store import RootTtl, Underway
from support.fleet_fakes import FakeWorld, Stage, manifest, with_relayers

DAY = 86_400.0
TTL = 5.0
"""Seconds, of the roots of `manifest`."""


async def shrunk(stage: Stage) -> float:
    """Have a fleet drop its last relayer; return the time of it."""
    await stage.grown(with_relayers(3))
    await stage.passes(with_relayers(2))
    return stage.time


async def test_a_dropped_member_waits_no_longer_because_the_operator_was_started_anew(
    stage: Stage,
) -> None:
    began = await shrunk(stage)
    for seconds in (2.0, 2.9):
        stage.time += seconds
        stage.restart()
        report = await stage.passes(with_relayers(2))
        assert report.leaving == {"relayer-2": began + TTL}
        assert stage.world.stopped == []
    stage.time = began + TTL
    await stage.passes(with_relayers(2))
    assert stage.world.stopped == [(began + TTL, "relayer-2")]


async def test_a_member_whose_time_came_while_no_operator_ran_stops_at_once(stage: Stage) -> None:
    began = await shrunk(stage)
    stage.time += DAY
    stage.restart()
    await stage.passes(with_relayers(2))
    assert stage.world.stopped == [(began + DAY, "relayer-2")]


async def test_a_clock_that_is_put_back_makes_nobody_wait_longer_than_the_ttl(
    stage: Stage,
) -> None:
    began = await shrunk(stage)
    stage.time -= DAY
    stage.restart()
    report = await stage.passes(with_relayers(2))
    assert report.leaving == {"relayer-2": began - DAY + TTL}
    stage.time += 4.0
    stage.restart()
    assert (await stage.passes(with_relayers(2))).leaving == report.leaving
    stage.time += 1.0
    await stage.passes(with_relayers(2))
    assert [name for _, name in stage.world.stopped] == ["relayer-2"]


async def test_who_comes_back_and_is_dropped_again_waits_anew(stage: Stage) -> None:
    await shrunk(stage)
    stage.time += 4.0
    await stage.passes(with_relayers(3), 2)
    stage.restart()
    report = await stage.passes(with_relayers(2), 2)
    assert report.leaving == {"relayer-2": stage.time + TTL}


async def test_to_wait_writes_nothing_and_nothing_is_remembered_of_what_is_over(
    stage: Stage,
) -> None:
    await shrunk(stage)
    revision = (await stage.store.read()).revision
    await stage.passes(with_relayers(2), 3)
    assert (await stage.store.read()).revision == revision
    stage.time += TTL
    await stage.passes(with_relayers(2), 2)
    state = await stage.store.read()
    assert state.underway == Underway(root_ttl=RootTtl(int(TTL)))
    await stage.passes(with_relayers(2), 3)
    assert (await stage.store.read()).revision == state.revision


@pytest.mark.parametrize(("served", "known"), [(1, 3), (0, 0)])
async def test_who_was_in_the_tree_is_known_to_an_operator_that_finds_the_dns_server_away(
    stage: Stage, served: int, known: int
) -> None:
    await stage.grown(manifest())
    stage.restart(served=served)
    stage.dns.refuses = "it does not answer"
    report = await stage.passes(manifest())
    found = {one.type: one for one in report.findings}
    assert found[ConditionType.TREE_PUBLISHED].reason is Reason.SINK_FAILED
    assert report.tree is not None
    assert len(report.tree.listed) == known
    assert found[ConditionType.READY].holds == bool(known)


async def test_what_cannot_be_applied_is_told_by_the_first_pass_that_tries(stage: Stage) -> None:
    stage.world.refuses = {"Service relayer-0": "its type is held by somebody else"}
    report = await stage.grown(manifest())
    stage.world.problems = {}
    stage.restart()
    again = await stage.passes(manifest())
    for said in (report, again):
        ready = next(one for one in said.findings if one.type is ConditionType.READY)
        assert ready.reason is Reason.NOT_APPLIED


class RollingWorld(FakeWorld):
    """One in which members run on as they are until they are told to start anew, as on a cluster;
    with new settings, none of them works.
    """

    restarted: tuple[str, ...] = ()

    async def apply(self, plan: Plan) -> None:
        running = dict(self.running)
        await super().apply(plan)
        self.running |= running

    async def restart(self, names: Iterable[str]) -> tuple[str, ...]:
        told = tuple(names)
        for name in told:
            member = self.applied[-1].member(name)
            assert member is not None
            self.running[name] = member.restart_hash
            self.ready.discard(name)
            self.messages[name] = "exited with code 1: no such option"
        self.restarted += told
        return told


class RollingStage(Stage):
    """A fleet without a tree, whose changes go through it as `spec.rollout` says."""

    world: RollingWorld

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.world = RollingWorld(lambda: self.time)
        self.restart_operator()

    def restart_operator(self) -> None:
        """Begin anew as a second process would."""
        now, trees = lambda: self.time, TreeKeeper(self.store, (), lambda: self.time)
        self.reconciler = Reconciler(
            self.world, trees, self.store, now, grace_seconds=0.0, restarter=self.world
        )


@pytest.fixture
def rolling(tmp_path: Path) -> Iterator[RollingStage]:
    result = RollingStage(tmp_path / "data")
    yield result
    result.store.close()


def configured(relayers: int, pending: int) -> StatusFleet:
    relayer = {"replicas": relayers, "config": {"MaxPendingPeers": pending}}
    return manifest(roles={"relayer": relayer}, tree=None, rollout={"soak": "0s"})


def progress(report: Report) -> Finding:
    return next(one for one in report.findings if one.type is ConditionType.PROGRESSING)


async def test_a_rollout_that_stopped_at_the_only_member_has_stopped_for_the_next_operator_too(
    rolling: RollingStage,
) -> None:
    before, after = configured(1, 5), configured(1, 6)
    await rolling.grown(before)
    report = await rolling.passes(after, 2)
    assert progress(report).reason is Reason.ROLLOUT_STOPPED
    for _ in range(2):
        rolling.restart_operator()
        assert progress(await rolling.passes(after)) == progress(report)
        rolling.time += DAY


async def test_what_becomes_of_a_member_that_has_worked_since_is_no_matter_of_the_rollout(
    rolling: RollingStage,
) -> None:
    after = configured(1, 6)
    await rolling.grown(configured(1, 5))
    await rolling.passes(after, 2)
    rolling.world.messages.clear()
    rolling.world.ready = {"relayer-0"}
    await rolling.passes(after)
    assert not (await rolling.store.read()).underway.renewed
    rolling.restart_operator()
    rolling.world.ready.clear()
    rolling.world.messages["relayer-0"] = "no node takes its pod"
    assert progress(await rolling.passes(after)).reason is Reason.STARTING


async def test_the_next_operator_begins_with_no_other_member_where_one_is_broken(
    rolling: RollingStage,
) -> None:
    await rolling.grown(configured(3, 5))
    await rolling.passes(configured(3, 6), 3)
    rolling.restart_operator()
    report = await rolling.passes(configured(3, 6), 3)
    assert rolling.world.restarted == ("relayer-0",)
    assert progress(report).reason is Reason.ROLLOUT_STOPPED


async def test_the_canary_is_started_anew_when_the_members_are_through_a_change_and_not_before(
    rolling: RollingStage,
) -> None:
    def may_be_renewed() -> bool:
        assert rolling.world.canary is not None
        return rolling.world.canary.renew

    await rolling.grown(configured(2, 5))
    assert may_be_renewed()
    for _ in range(2):  # it stops at the first one, and stays so for the next operator
        await rolling.passes(configured(2, 6), 2)
        assert not may_be_renewed()
        rolling.restart_operator()
    rolling.world.messages.clear()
    rolling.world.ready = {"relayer-0", "relayer-1"}
    await rolling.passes(configured(2, 6))  # the second one goes, and fails as the last of all
    assert rolling.world.restarted == ("relayer-0", "relayer-1")
    await rolling.passes(configured(2, 6), 2)
    assert not may_be_renewed()
    rolling.world.messages.clear()
    rolling.world.ready = {"relayer-0", "relayer-1"}
    await rolling.passes(configured(2, 6))
    assert may_be_renewed()
