"""What conditions say of what was seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from statusfleet.api.status import ConditionType
from statusfleet.canary.knock import knocker
from statusfleet.plan import Observation, make_plan
from statusfleet.plan.rollout import RolloutStep
from statusfleet.reconcile.conditions import (
    Finding,
    Reach,
    Situation,
    conditions,
)
from statusfleet.reconcile.reasons import Reason
from statusfleet.reconcile.showing import TreeState
from statusfleet.worlds.protocol import Vantage
from statusnode.crypto.keys import PrivateKey
from support.fleet_observations import fleet, observe

FLEET = fleet({"roles": {"relayer": {"replicas": 2}}})


THERE = Vantage("its own node n2", knocker(PrivateKey.generate()), caveat="a caveat")


def observation(*, ready: bool = True, addresses: bool = True) -> Observation:
    seen = observe(FLEET)
    members = {
        name: replace(
            member, ready=ready, advertised=member.advertised if addresses else None, record=None
        )
        for name, member in seen.members.items()
    }
    return replace(seen, members=members)


def reachable(seen: Observation, reach: Reach) -> Finding:
    situation = Situation(make_plan(FLEET, seen), seen, None, reach=reach)
    return next(f for f in conditions(situation) if f.type == ConditionType.REACHABLE)


@pytest.mark.parametrize(
    ("seen", "reach", "expected", "words"),
    [
        (observation(), Reach("here"), ("True", Reason.REACHED), "dialed from here"),
        (
            observation(),
            Reach("here", pending=("relayer-1",)),
            ("Unknown", Reason.NOT_DIALED_YET),
            "relayer-1",
        ),
        (
            observation(ready=False),
            Reach("here"),
            ("Unknown", Reason.NOT_DIALED_YET),
            "no member is ready and has an address",
        ),
        (
            observation(addresses=False),
            Reach("here"),
            ("Unknown", Reason.NOT_DIALED_YET),
            "no member is ready and has an address",
        ),
        (
            observation(),
            Reach("here", {"relayer-0": "no connection"}),
            ("False", Reason.NOT_REACHED),
            "dialed from here: relayer-0: no connection",
        ),
        (
            observation(),
            Reach("here", elsewhere={"relayer-1": THERE}),
            ("True", Reason.REACHED),
            "relayer-1 dialed from its own node n2; all others from here; a caveat",
        ),
        (
            observation(),
            Reach("here", {"relayer-0": "refused", "relayer-1": "lost"}, (), {"relayer-1": THERE}),
            ("False", Reason.NOT_REACHED),
            "relayer-0: dialed from here: refused; relayer-1: dialed from its own node n2: lost",
        ),
    ],
)
def test_only_members_that_were_dialed_count_as_reached(
    seen: Observation, reach: Reach, expected: tuple[str, Reason], words: str
) -> None:
    found = reachable(seen, reach)
    assert (found.status, found.reason) == expected
    assert words in found.message


def test_who_fails_behind_a_load_balancer_is_told_of_the_other_way_to_dial() -> None:
    seen, setting = observation(), "operator.dialLoadBalancersFrom"
    balanced = replace(seen.members["relayer-0"], address_source="LoadBalancer")
    seen = replace(seen, members={**seen.members, "relayer-0": balanced})
    assert setting in reachable(seen, Reach("here", {"relayer-0": "refused"})).message
    assert setting not in reachable(seen, Reach("here", {"relayer-1": "refused"})).message
    there = Reach("here", {"relayer-0": "refused"}, elsewhere={"relayer-0": THERE})
    assert setting not in reachable(seen, there).message


@pytest.mark.parametrize(
    ("tree", "reason"),
    [(TreeState(published=True), Reason.PUBLISHED), (None, Reason.NOT_APPLICABLE)],
    ids=["a tree", "no tree any more"],
)
def test_a_sink_that_does_not_let_go_of_the_tree_is_told_with_a_remedy(
    tree: TreeState | None, reason: Reason
) -> None:
    seen = observation()
    left = {"rfc2136:ns1.example.org:53": "it does not answer"}
    situation = Situation(make_plan(FLEET, seen), seen, tree, leftovers=left)
    found = next(f for f in conditions(situation) if f.type == ConditionType.TREE_PUBLISHED)
    assert found.reason is reason
    assert "rfc2136:ns1.example.org:53: the tree cannot be taken back (it does not answer)" in (
        found.message
    )
    assert "spec.deletion.tree to Keep" in found.message


def test_a_fleet_is_not_ready_before_a_change_has_gone_through_it() -> None:
    seen = observation()
    situation = Situation(make_plan(FLEET, seen), seen, None)
    step = RolloutStep(outdated=("relayer-1",), soaking=("relayer-0",))
    ready = next(iter(conditions(replace(situation, rollout=step))))
    assert (ready.status, ready.reason) == ("False", Reason.ROLLING_OUT)
    assert ready.message == "has to stay ready for a while first: relayer-0; to go: relayer-1"
    assert next(iter(conditions(situation))).holds
