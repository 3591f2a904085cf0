"""Members on a real cluster: from nothing to ready, at rest, broken by hand, restarted, removed.

this test ── passes ──> world ── server-side apply ──> API server ──> kubelets ──> statusd
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from statusfleet.kube import NotLeaderError
from statusfleet.kube.kinds import (
    CONFIG_MAP,
    PERSISTENT_VOLUME_CLAIM,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    Kind,
)
from statusfleet.plan import Observation, Plan, settings
from support.kube_stage import PATIENCE_SECONDS, Stage, all_ready

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PRIVATE = {"addressScope": "Private"}


def spec(relayers: int = 2, **mailserver: Any) -> dict[str, Any]:
    """Members on node ports of nodes that have private addresses only."""
    return {
        "roles": {
            "relayer": {"replicas": relayers, "expose": PRIVATE},
            "mailserver": {"expose": PRIVATE, "storage": {"size": "64Mi"}, **mailserver},
        },
        "canary": {"interval": "2s", "timeout": "10s"},
    }


async def test_a_fleet_grows_rests_and_proves_itself(stage: Stage) -> None:
    fleet = stage.fleet(spec())
    plan, observation = await stage.grown(fleet)
    for name, member in observation.members.items():
        assert member.address_source == "NodePort/InternalIP", name
        assert member.restart_hash == plan_hash(plan, name)
        assert 20000 <= (member.advertised.tcp if member.advertised else 0) <= 32767
    assert len({node.node for node in stage.snapshot.pods.values() if node.member}) == 2

    # At rest: nothing is written, also not by an operator that has just started.
    await stage.turn(fleet)
    stage.writes = 0
    for _ in range(3):
        await stage.turn(fleet)
    await stage.restart_operator()
    await stage.turn(fleet)
    assert stage.writes == 0

    await stage.probe(fleet, plan, observation)
    verdict = (await stage.until(fleet, lambda _, seen: seen.canary is not None))[1].canary
    assert verdict is not None
    assert verdict == replace(verdict, passed=True, failures=()), verdict
    await stage.world.probe(None)
    await stage.until(fleet, lambda _, seen: not canary_objects(stage) and seen.canary is None)


async def test_what_is_deleted_by_hand_comes_back_with_the_same_identity(stage: Stage) -> None:
    fleet = stage.fleet(spec(relayers=1))
    plan, _ = await stage.grown(fleet)
    before = {member.name: member.public_key for member in plan.members}
    victims: list[tuple[Kind, str]] = [
        (CONFIG_MAP, "eth-dev-relayer-0"),
        (SECRET, "eth-dev-relayer-0-config"),
        (SERVICE, "eth-dev-relayer-0"),
        (STATEFUL_SET, "eth-dev-relayer-0"),
    ]
    for kind, name in victims:
        old = await stage.client.get(kind, stage.namespace, name)
        await stage.client.delete(kind, stage.namespace, name)
        await stage.until(fleet, lambda _, seen: True)
        new = await stage.client.get(kind, stage.namespace, name)
        assert new["metadata"]["uid"] != old["metadata"]["uid"], kind
    plan, _ = await stage.grown(fleet)
    assert {member.name: member.public_key for member in plan.members} == before


async def test_a_field_that_a_user_holds_is_left_alone_and_told_of(stage: Stage) -> None:
    fleet = stage.fleet(spec(relayers=1))
    await stage.grown(fleet)
    name = "eth-dev-relayer-0"
    # An update, as `kubectl edit` sends it: the field is its sender's from then on.
    taken = {"spec": {"externalTrafficPolicy": "Cluster"}}
    await stage.client.patch(SERVICE, stage.namespace, name, taken)
    stage.writes = 0
    _, observation = await stage.turn(fleet)
    for _ in range(3):
        _, observation = await stage.turn(fleet)
    assert stage.writes == 1
    assert "externalTrafficPolicy is held by" in observation.problems[f"Service {name}"]
    found = await stage.client.get(SERVICE, stage.namespace, name)
    assert found["spec"]["externalTrafficPolicy"] == "Cluster"


async def test_what_a_user_did_while_no_operator_ran_is_seen_by_the_next(stage: Stage) -> None:
    fleet = stage.fleet(spec(relayers=1))
    await stage.grown(fleet)
    name = "eth-dev-relayer-0"
    taken = {"spec": {"externalTrafficPolicy": "Cluster"}}
    await stage.client.patch(SERVICE, stage.namespace, name, taken, field_manager="kubectl-edit")
    bare = {"metadata": {"labels": {"app.kubernetes.io/component": None}}}
    await stage.client.patch(STATEFUL_SET, stage.namespace, name, bare)
    await stage.restart_operator()
    stage.writes = 0
    for _ in range(3):
        _, observation = await stage.turn(fleet)
    assert stage.writes == 2
    told = observation.problems[f"Service {name}"]
    assert "externalTrafficPolicy is held by kubectl-edit" in told
    found = await stage.client.get(STATEFUL_SET, stage.namespace, name)
    assert found["metadata"]["labels"]["app.kubernetes.io/component"] == "relayer"


async def test_a_change_restarts_nobody_until_somebody_says_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = stage.fleet(spec(relayers=1))
    await stage.grown(fleet)
    uids = pod_uids(stage)

    # A newer operator restarts nobody, and says that there is something newer.
    await stage.restart_operator(image="statusfleet.test/statusfleet:newer")
    plan, observation = await stage.turn(fleet)
    assert all(member.update_pending for member in observation.members.values())
    assert all(hash_of(observation, m.name) == m.restart_hash for m in plan.members)
    with monkeypatch.context() as newer:
        newer.setattr(settings, "API_MODULES", "net,web3")
        await stage.restart_operator()
        stage.writes = 0
        plan, observation = await stage.turn(fleet)
        assert all(member.update_pending for member in plan.members)
        assert all(hash_of(observation, m.name) == m.restart_hash for m in plan.members)
        assert stage.writes == 0
    await stage.restart_operator()

    # What a member takes up while it runs changes its file alone.
    live = spec(relayers=1)
    live["roles"]["relayer"]["maxPeers"] = 7
    plan, observation = await stage.turn(stage.fleet(live))
    assert hash_of(observation, "relayer-0") == plan_hash(plan, "relayer-0")

    await until_peers_may_be_others(stage)

    # What it cannot take up waits for the pod to be made anew.
    changed = spec(relayers=1)
    changed["roles"]["relayer"]["resources"] = {"requests": {"cpu": "11m"}}
    fleet = stage.fleet(changed)
    plan, observation = await stage.turn(fleet)
    assert hash_of(observation, "relayer-0") != plan_hash(plan, "relayer-0")
    assert hash_of(observation, "mailserver-0") == plan_hash(plan, "mailserver-0")
    await asyncio.sleep(1)
    await stage.look()
    assert pod_uids(stage) == uids
    await stage.world.restart(["relayer-0"])
    await stage.until(
        fleet,
        lambda plan, seen: (
            all_ready(plan, seen) and hash_of(seen, "relayer-0") == plan_hash(plan, "relayer-0")
        ),
    )
    after = pod_uids(stage)
    assert after["eth-dev-relayer-0-0"] != uids["eth-dev-relayer-0-0"]
    assert after["eth-dev-mailserver-0-0"] == uids["eth-dev-mailserver-0-0"]


async def test_a_removed_member_goes_and_its_identity_and_mail_stay(stage: Stage) -> None:
    await stage.grown(stage.fleet(spec(relayers=2)))
    smaller = spec(relayers=1)
    smaller["roles"]["mailserver"]["replicas"] = 0
    fleet = stage.fleet(smaller)
    plan, _ = await stage.turn(fleet)
    assert plan.removed == ("mailserver-0", "relayer-1")
    await stage.world.prune(plan)
    await stage.until(fleet, lambda plan, _: not plan.removed)
    for kind in (STATEFUL_SET, SERVICE):
        left = await stage.client.list(kind, stage.namespace)
        assert [body["metadata"]["name"] for body in left] == ["eth-dev-relayer-0"]
    claims = await stage.client.list(PERSISTENT_VOLUME_CLAIM, stage.namespace)
    assert [claim["metadata"]["name"] for claim in claims] == ["eth-dev-mailserver-0"]
    for name in ("eth-dev-mailserver-0", "eth-dev-relayer-1"):
        assert "nodekey" in (await stage.client.get(SECRET, stage.namespace, name))["data"]


async def test_a_removal_that_is_cut_off_at_each_of_its_steps_is_made_good(stage: Stage) -> None:
    delete = {"size": "64Mi", "retentionPolicy": {"whenScaled": "Delete"}}
    await stage.grown(stage.fleet(spec(relayers=1, storage=delete)))
    smaller = spec(relayers=1, storage=delete)
    smaller["roles"]["mailserver"]["replicas"] = 0
    fleet = stage.fleet(smaller)
    plan, _ = await stage.turn(fleet)
    lives = 0
    while plan.removed:
        lives += 1
        stage.most_writes = stage.writes + lives
        with suppress(NotLeaderError):
            await stage.world.prune(plan)
        stage.most_writes = math.inf
        await stage.restart_operator()
        plan, _ = await stage.turn(fleet)
    assert lives > 1
    for kind in (CONFIG_MAP, PERSISTENT_VOLUME_CLAIM, SERVICE, STATEFUL_SET):
        labels = {"statusfleet.io/role": "mailserver"}
        left = await stage.client.list(kind, stage.namespace, labels=labels)
        assert [body for body in left if "deletionTimestamp" not in body["metadata"]] == []
    assert await stage.client.find(SECRET, stage.namespace, "eth-dev-mailserver-0-config") is None


async def test_an_image_that_does_not_exist_is_told_and_replaced(stage: Stage) -> None:
    wrong = spec(relayers=1)
    wrong["image"] = {"repository": "statusfleet.test/nothing", "tag": "1", "pullPolicy": "Never"}
    await stage.until(
        stage.fleet(wrong),
        lambda _, seen: all("ErrImageNeverPull" in m.message for m in seen.members.values()),
    )
    fleet = stage.fleet(spec(relayers=1))
    plan, _ = await stage.turn(fleet)
    await stage.world.restart([member.name for member in plan.members])
    await stage.grown(fleet)


async def test_a_load_balancer_by_name_is_resolved_and_followed(stage: Stage) -> None:
    """The cluster has no load balancer controller: this test writes what one would."""
    wish = {
        "roles": {
            "relayer": {"expose": {**PRIVATE, "type": "LoadBalancer", "port": 443}},
        }
    }
    fleet = stage.fleet(wish)
    plan, observation = await stage.turn(fleet)
    assert "has no address yet" in observation.members["relayer-0"].address_problem
    assert [waiting.lacks for waiting in plan.waiting] == ["address"]
    ingress = {"status": {"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}}}
    name = "eth-dev-relayer-0"
    await stage.client.patch(SERVICE, stage.namespace, name, ingress, subresource="status")
    stage.resolved["lb.example"] = ("8.8.4.4",)
    plan, observation = await stage.until(
        fleet, lambda _, seen: seen.members["relayer-0"].advertised is not None
    )
    member = observation.members["relayer-0"]
    assert (str(member.advertised), member.address_source) == ("8.8.4.4:443", "LoadBalancer")
    record = plan.members[0].record
    assert record is not None
    assert (record.seq, record.ip, record.tcp, record.udp) == (1, "8.8.4.4", 443, None)


async def until_peers_may_be_others(stage: Stage) -> None:
    """Wait until the member has taken up its new limit: its kubelet has to look first."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            lines = [
                line async for line in stage.client.logs(stage.namespace, "eth-dev-relayer-0-0")
            ]
            if any("MaxPeers" in line for line in lines):
                return
            await asyncio.sleep(0.2)


def plan_hash(plan: Plan, name: str) -> str:
    member = plan.member(name)
    assert member is not None
    return member.restart_hash


def hash_of(observation: Observation, name: str) -> str | None:
    return observation.members[name].restart_hash


def pod_uids(stage: Stage) -> dict[str, str]:
    return {pod.name: pod.uid for pod in stage.snapshot.pods.values() if pod.member}


def canary_objects(stage: Stage) -> list[str]:
    return [name for _, name in stage.snapshot.children if "-canary-config" in name]
