"""When a member that is being started counts as stalled, and what its fleet says of it then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from statusfleet.api.status import ConditionType
from statusfleet.plan import Observation, Plan, make_plan
from statusfleet.reconcile.conditions import Finding, Situation, conditions
from statusfleet.reconcile.reasons import Reason
from statusfleet.reconcile.stalling import PATIENCE_SECONDS, Stalled, Stalling
from support.fleet_observations import fleet, observe

NOW = 1_700_000_000.0
IMAGE = "ErrImagePull: not found"
ONE = fleet({"roles": {"relayer": {"replicas": 1}}})


class Scene:
    """A fleet of one relayer, and what its operator has seen of it so far."""

    def __init__(self) -> None:
        self.stalling = Stalling()
        self.seen: Observation = observe(ONE)
        self.plan: Plan = make_plan(ONE, self.seen)

    def pass_(self, now: float, *restarted: str, **facts: Any) -> Stalled:
        member = self.plan.members[0]
        facts = {"restart_hash": member.restart_hash, **facts}
        members = {member.name: replace(self.seen.members[member.name], **facts)}
        self.seen = replace(self.seen, members=members)
        self.stalling.renew(restarted)
        return self.stalling.update(self.plan, self.seen, now)

    def progressing(self, stalled: Stalled) -> Finding:
        situation = Situation(self.plan, self.seen, None, stalled=stalled)
        return next(f for f in conditions(situation) if f.type == ConditionType.PROGRESSING)


def broken(since: float) -> dict[str, Any]:
    return {"ready": False, "message": IMAGE, "unready_since": since}


def test_a_first_start_that_fails_is_progress_for_a_while_and_then_no_more() -> None:
    scene = Scene()
    stalled = scene.pass_(NOW, **broken(NOW))
    assert stalled == Stalled(next_look=NOW + PATIENCE_SECONDS)
    assert scene.progressing(stalled).reason == Reason.STARTING
    finding = scene.progressing(scene.pass_(NOW + PATIENCE_SECONDS, **broken(NOW)))
    assert (finding.status, finding.reason) == ("False", Reason.MEMBERS_NOT_READY)
    assert finding.message == f"not getting any further: relayer-0: {IMAGE}"


def test_a_member_that_says_nothing_is_being_started_however_long_it_takes() -> None:
    scene = Scene()
    stalled = scene.pass_(NOW + 1e6, ready=False, message="", unready_since=NOW)
    assert stalled == Stalled()
    assert scene.progressing(stalled).reason == Reason.STARTING


def test_a_rollout_stops_at_the_only_member_as_soon_as_that_says_why() -> None:
    scene = Scene()
    scene.pass_(NOW, "relayer-0", ready=True, restart_hash="before")
    # Its old pod ends, and then there is none.
    for facts in ({"restart_hash": "before"}, {"restart_hash": None}):
        stalled = scene.pass_(NOW + 1, ready=False, message="", unready_since=NOW, **facts)
        assert scene.progressing(stalled).reason == Reason.STARTING
    finding = scene.progressing(scene.pass_(NOW + 2, **broken(NOW)))
    assert (finding.status, finding.reason) == ("False", Reason.ROLLOUT_STOPPED)
    assert f"relayer-0: {IMAGE}" in finding.message


def test_the_next_change_ends_what_stopped_the_rollout() -> None:
    scene = Scene()
    scene.pass_(NOW, "relayer-0", ready=True, restart_hash="before")
    assert scene.pass_(NOW + 2, **broken(NOW)).renewed
    # It still says what it said, and is to be started with something else.
    outdated = scene.pass_(NOW + 3, "relayer-0", restart_hash="wrong", **broken(NOW))
    assert outdated == Stalled()
    assert scene.pass_(NOW + 4, ready=True, message="") == Stalled()
    # What becomes of it later is no matter of that rollout.
    assert scene.pass_(NOW + 5, **broken(NOW + 5)).renewed == {}


def test_one_that_gets_no_further_hides_nobody_who_does() -> None:
    two = fleet({"roles": {"relayer": {"replicas": 2}}})
    seen = observe(two)
    members = {name: replace(member, ready=False) for name, member in seen.members.items()}
    members["relayer-0"] = replace(members["relayer-0"], **broken(NOW))
    seen = replace(seen, members=members)
    plan = make_plan(two, seen)
    stalled = Stalling().update(plan, seen, NOW + PATIENCE_SECONDS)
    findings = conditions(Situation(plan, seen, None, stalled=stalled))
    finding = next(f for f in findings if f.type == ConditionType.PROGRESSING)
    assert (finding.reason, finding.message) == (Reason.STARTING, "starting relayer-1")
