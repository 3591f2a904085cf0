"""Whom a rollout starts anew, told by who is outdated and who works."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from statusfleet.api.fleet import StatusFleet
from statusfleet.plan import Observation, Plan, make_plan
from statusfleet.plan.rollout import UNAPPLIED, RolloutStep, rollout_step
from support.fleet_observations import fleet, observe

NOW = 1_700_000_000.0
OLD = "what they were started with before"


class Fleet:
    """Two relayers and two mailservers; all outdated and long ready at first."""

    def __init__(self, **rollout: Any) -> None:
        roles = {
            "relayer": {"replicas": 2},
            "mailserver": {"replicas": 2},
        }
        self.fleet: StatusFleet = fleet({"roles": roles, "rollout": rollout})
        self.seen: Observation = observe(self.fleet)
        self.plan: Plan = make_plan(self.fleet, self.seen)
        for member in self.plan.members:
            self.set(member.name, restart_hash=OLD, ready=True, ready_since=NOW - 3600)

    def set(self, name: str, **facts: Any) -> None:
        members = dict(self.seen.members)
        members[name] = replace(members[name], **facts)
        self.seen = replace(self.seen, members=members)

    def renew(self, name: str, *, ready_for: float | None = 3600) -> None:
        """Have a member run what it should, ready since so many seconds, or (None) not ready."""
        member = self.plan.member(name)
        assert member is not None
        since = None if ready_for is None else NOW - ready_for
        self.set(
            name,
            restart_hash=member.restart_hash,
            ready=ready_for is not None,
            ready_since=since,
        )

    def step(self, now: float = NOW) -> RolloutStep:
        return rollout_step(self.fleet.spec.rollout, self.plan, self.seen, now)


def test_a_fleet_that_is_up_to_date_has_nothing_to_do() -> None:
    subject = Fleet()
    for member in subject.plan.members:
        subject.renew(member.name)
    assert subject.step() == RolloutStep()


def test_one_relayer_goes_first() -> None:
    step = Fleet().step()
    assert step.restart == ("relayer-0",)
    assert set(step.outdated) == {
        "relayer-0",
        "relayer-1",
        "mailserver-0",
        "mailserver-1",
    }


def test_the_next_waits_until_the_last_is_ready() -> None:
    subject = Fleet()
    subject.renew("relayer-0", ready_for=None)
    step = subject.step()
    assert step.restart == ()
    assert step.held == {"relayer-0": "is not ready yet"}


def test_the_next_waits_until_the_last_has_soaked() -> None:
    subject = Fleet(soak="30s")
    subject.renew("relayer-0", ready_for=10)
    step = subject.step()
    assert (step.restart, step.soaking, step.next_look) == ((), ("relayer-0",), NOW + 20)
    assert subject.step(NOW + 20).restart == ("relayer-1",)


def test_the_next_role_follows_when_all_of_the_one_before_have_soaked() -> None:
    subject = Fleet(soak="30s")
    subject.renew("relayer-0")
    subject.renew("relayer-1", ready_for=29)
    assert subject.step().restart == ()
    assert subject.step(NOW + 1).restart == ("mailserver-0",)


def test_roles_go_in_the_order_that_is_wished_and_the_others_last() -> None:
    subject = Fleet(order=["mailserver"])
    assert subject.step().restart == ("mailserver-0",)


def test_a_failing_member_stops_the_rollout() -> None:
    subject = Fleet()
    subject.renew("relayer-0", ready_for=None)
    subject.set("relayer-0", message="exited with code 1: no such flag")
    step = subject.step(NOW + 1e6)
    assert step.restart == ()
    assert step.held == {"relayer-0": "exited with code 1: no such flag"}


def test_nobody_is_started_anew_by_what_could_not_be_applied() -> None:
    subject = Fleet()
    subject.seen = replace(subject.seen, unapplied=frozenset({"relayer-0", "relayer-1"}))
    subject.set("relayer-1", ready=False)
    step = subject.step()
    assert step.restart == ()
    assert set(step.outdated) == {m.name for m in subject.plan.members}
    assert step.held == dict.fromkeys(("relayer-0", "relayer-1"), UNAPPLIED)


def test_a_broken_member_gets_the_next_change_at_once() -> None:
    subject = Fleet()
    subject.set("relayer-1", ready=False, ready_since=None)
    assert subject.step().restart == ("relayer-1",)


def test_a_role_goes_faster_where_more_may_be_unavailable() -> None:
    assert Fleet(maxUnavailable=2).step().restart == ("relayer-0", "relayer-1")


def test_a_member_without_a_process_is_not_outdated() -> None:
    subject = Fleet()
    for member in subject.plan.members:
        subject.set(member.name, restart_hash=None, ready=False, ready_since=None)
    assert subject.step() == RolloutStep()
