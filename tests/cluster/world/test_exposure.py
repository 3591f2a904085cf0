"""Each way of exposure on a real cluster: the address that a record names is where the member is.

this test ── RLPx ──> node:port ──> the member's pod
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from statusfleet.canary.knock import knocker
from statusfleet.kube.kinds import NAMESPACE, SERVICE
from statusfleet.plan import Plan
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record
from support.kube_stage import NAME, Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def spec(kind: str, *, host: str = "", **expose: Any) -> dict[str, Any]:
    """One relayer, exposed in one way; on one node, where that is named."""
    relayer: dict[str, Any] = {"expose": {"type": kind, "addressScope": "Private", **expose}}
    if host:
        relayer["template"] = {"nodeSelector": {"kubernetes.io/hostname": host}}
    return {"roles": {"relayer": relayer}}


async def knock(plan: Plan) -> str:
    """Dial the only member at each address of its record; "" where it answers with its own key.

    More than once: kube-proxy takes a moment to hear of a Service.
    """
    dial = knocker(PrivateKey.generate())
    for enode in record_of(plan).enodes():
        for _ in range(50):
            if not (problem := await dial(enode)):
                break
            await asyncio.sleep(0.2)
        if problem:
            return f"{enode}: {problem}"
    return ""


def record_of(plan: Plan) -> Record:
    record = plan.members[0].record
    assert record is not None
    return record


async def test_a_member_is_reached_by_each_way_it_is_exposed(stage: Stage) -> None:
    plan, _ = await stage.grown(stage.fleet(spec("ClusterIP")))
    assert await knock(plan) == ""
    assert (record_of(plan).seq, record_of(plan).tcp) == (1, 30303)

    # A change of the Service alone: the same pod, a new address, the next number.
    plan, seen = await stage.grown(stage.fleet(spec("NodePort")))
    assert seen.members["relayer-0"].address_source == "NodePort/InternalIP"
    assert await knock(plan) == ""
    assert record_of(plan).seq == 2

    # A port of the node is no thing for restricted pods: the namespace has to allow it.
    label = {"pod-security.kubernetes.io/enforce": "privileged"}
    await stage.client.patch(NAMESPACE, "", stage.namespace, {"metadata": {"labels": label}})
    fleet = stage.fleet(spec("HostPort", port=31443))
    await stage.turn(fleet)
    await stage.world.restart(["relayer-0"])
    plan, seen = await stage.until(
        fleet, lambda plan, seen: seen.members["relayer-0"].ready and seen_anew(plan, seen)
    )
    assert seen.members["relayer-0"].address_source == "HostPort/InternalIP"
    assert record_of(plan).tcp == 31443
    assert await knock(plan) == ""


async def test_a_member_that_moves_gets_a_record_with_its_new_address(stage: Stage) -> None:
    hosts = sorted(node.name for node in (await stage.look()).nodes.values() if node.ready)
    if len(hosts) < 2:
        pytest.skip("needs two nodes")
    plan, _ = await stage.grown(stage.fleet(spec("NodePort", host=hosts[0])))
    before = record_of(plan)
    fleet = stage.fleet(spec("NodePort", host=hosts[1]))
    await stage.turn(fleet)
    await stage.world.restart(["relayer-0"])
    plan, _ = await stage.until(
        fleet, lambda plan, seen: seen.members["relayer-0"].ready and seen_anew(plan, seen)
    )
    after = record_of(plan)
    assert after.node_id == before.node_id
    assert after.ip != before.ip
    assert (after.tcp, after.seq) == (before.tcp, before.seq + 1)
    assert await knock(plan) == ""


async def test_on_a_dual_stack_cluster_a_record_names_both_addresses_and_the_member_answers_at_both(
    stage: Stage,
) -> None:
    nodes = (await stage.look()).nodes
    if any(len(node.internal_ips) < 2 for node in nodes.values()):
        pytest.skip("needs a cluster of both IP families")
    plan, seen = await stage.grown(stage.fleet(spec("NodePort")))
    record = record_of(plan)
    where = nodes[seen.members["relayer-0"].node]
    assert (record.ip, record.ip6) == where.internal_ips
    # One port holds for both (EIP-778), and stands where readers of either look for it.
    assert [enode.tcp for enode in record.enodes()] == [record.tcp, record.tcp]
    assert (record.tcp6, record.udp6) == (None, None)
    assert await knock(plan) == ""
    # The Service within has both, too.
    plan, _ = await stage.grown(stage.fleet(spec("ClusterIP")))
    service = await stage.client.get(SERVICE, stage.namespace, f"{NAME}-relayer-0")
    assert [record_of(plan).ip, record_of(plan).ip6] == service["spec"]["clusterIPs"]
    assert await knock(plan) == ""


async def test_an_address_of_the_manifest_is_advertised_as_it_stands(stage: Stage) -> None:
    wish = spec("Static")
    own = {"ordinal": 0, "address": {"ip": "8.8.4.4", "tcp": 443}}
    wish["roles"]["relayer"]["members"] = [own]
    plan, seen = await stage.grown(stage.fleet(wish))
    assert seen.members["relayer-0"].address_source == "Override"
    assert (record_of(plan).ip, record_of(plan).tcp, record_of(plan).udp) == ("8.8.4.4", 443, None)


def seen_anew(plan: Plan, seen: Any) -> bool:
    """Tell whether the pod that is seen was made from the plan."""
    member = plan.members[0]
    return bool(seen.members[member.name].restart_hash == member.restart_hash)
