"""What the plan is told of a member, from its pod and its pod's node."""

from __future__ import annotations

from dataclasses import replace

import pytest

from statusfleet.plan import Endpoint, MemberId, ObservedMember
from statusfleet.worlds.kubernetes.addresses import Chosen
from statusfleet.worlds.kubernetes.names import Owner
from statusfleet.worlds.kubernetes.pin import choose_pin
from statusfleet.worlds.kubernetes.records import (
    Child,
    NodeRecord,
    PodRecord,
    ServiceRecord,
    Snapshot,
    StatefulSetRecord,
)
from statusfleet.worlds.kubernetes.seeing import (
    canary_pod_of,
    leftovers,
    no_pod,
    observed_member,
    pods_by_member,
)
from support.fleet_observations import fleet, key_of

MEMBER = MemberId("relayer", 0)
POD = PodRecord("eth-dev-relayer-0-0", "u", MEMBER, node="node-1", ready=True, since=50.0)
NODE = NodeRecord("node-1")
OWNER = Owner("status", "eth-dev", "u")
ADDRESS = Chosen(Endpoint("8.8.4.4", 31000), "NodePort/ExternalIP")


def observed(
    pod: PodRecord | None, node: NodeRecord | None = NODE, address: Chosen = ADDRESS
) -> ObservedMember:
    wanted = fleet({"roles": {"relayer": {}}})
    return observed_member(
        MEMBER,
        key=key_of("relayer-0"),
        choice=choose_pin(wanted, MEMBER, "", "r/statusfleet:1"),
        dial=Endpoint("10.96.0.9", 30303),
        advertised=address,
        pod=pod,
        node=node,
        record=None,
        down_since=10.0,
        missing="no pod is made",
    )


def test_a_ready_pod_is_a_ready_member() -> None:
    member = observed(replace(POD, running=True, restart_hash="h", image="r/statusfleet:1"))
    assert (member.ready, member.ready_since, member.unready_since) == (True, 50.0, None)
    assert (member.restart_hash, member.version, member.message) == ("h", "r/statusfleet:1", "")
    assert member.seat is not None
    assert member.seat.program.startswith("r/statusfleet:1 ")


def test_a_member_without_a_pod_is_down_since_it_was_missed() -> None:
    member = observed(None)
    assert (member.ready, member.running, member.unready_since) == (False, False, 10.0)
    assert member.restart_hash is None


def test_a_member_that_is_started_anew_is_down_since_its_pod_was_told_to_end() -> None:
    # Its pod says since when it was ready, which may be years.
    assert observed(replace(POD, deleting=True)).unready_since == 10.0
    assert observed(replace(POD, ready=False, deleting=True)).unready_since == 50.0


def test_a_pod_that_goes_away_counts_no_more() -> None:
    assert not observed(replace(POD, deleting=True)).ready
    new = PodRecord("eth-dev-relayer-0-0", "v", MEMBER)
    old = replace(POD, deleting=True)
    assert pods_by_member(Snapshot(pods={"a": new, "b": old}), OWNER) == {MEMBER: new}
    assert pods_by_member(Snapshot(pods={"a": old, "b": new}), OWNER) == {MEMBER: new}
    # One that somebody copied with its labels is nobody's.
    copy = replace(new, name="look-into-it")
    assert pods_by_member(Snapshot(pods={"a": new, "b": copy}), OWNER) == {MEMBER: new}


def test_a_pod_whose_node_was_deleted_is_not_believed() -> None:
    pods, other = {POD.name: POD}, {"node-2": NodeRecord("node-2")}
    assert pods_by_member(Snapshot(pods=pods, nodes={"node-1": NODE}), OWNER) == {MEMBER: POD}
    pod = pods_by_member(Snapshot(pods=pods, nodes=other), OWNER)[MEMBER]
    member = observed(pod, None)
    assert (member.ready, member.unready_since) == (False, 10.0)
    assert "its node node-1 was deleted" in member.message


def test_a_canary_on_a_node_that_is_away_proves_nothing() -> None:
    canary = PodRecord("eth-dev-canary-x", "c", part="canary", node="node-1", running=True)

    def seen(*nodes: NodeRecord) -> PodRecord | None:
        named = {node.name: node for node in nodes}
        return canary_pod_of(Snapshot(pods={canary.name: canary}, nodes=named))

    assert seen(NODE) == canary
    for pod in (seen(NodeRecord("node-1", ready=False)), seen(NodeRecord("node-2"))):
        assert pod is not None
        assert not pod.running
        assert "its node node-1" in pod.problem


@pytest.mark.parametrize(
    ("pod", "node", "words"),
    [
        (
            replace(POD, ready=False, running=True),
            NodeRecord("node-1", ready=False),
            "marked (kubectl taint nodes node-1 node.kubernetes.io/out-of-service=",
        ),
        (
            replace(POD, ready=False, problem="ErrImagePull: no such image"),
            NODE,
            "ErrImagePull: no such image",
        ),
        (
            replace(POD, ready=False, running=True, restarts=3),
            NODE,
            "was restarted 3 times: see kubectl logs --previous eth-dev-relayer-0-0",
        ),
        (replace(POD, ready=False, running=True), NODE, ""),
    ],
)
def test_an_unready_member_says_why(pod: PodRecord, node: NodeRecord, words: str) -> None:
    message = observed(pod, node).message
    assert words in message if words else message == ""


def test_an_address_is_nothing_that_a_member_lacks_for_its_work() -> None:
    for pod in (POD, replace(POD, ready=False)):
        member = observed(pod, NODE, Chosen(None, problem="no address"))
        assert (member.message, member.address_problem) == ("", "no address")


def test_a_member_for_which_no_pod_is_made_says_where_the_reason_stands() -> None:
    assert no_pod("eth-dev-relayer-0", 5.0) == ""
    assert "kubectl describe statefulset eth-dev-relayer-0" in no_pod("eth-dev-relayer-0", 60.0)
    assert observed(None).message == "no pod is made"
    assert observed(POD).message == ""


def test_what_is_not_wanted_any_more_is_left_over_until_it_goes() -> None:
    def child(kind: str, ordinal: int, *, deleting: bool = False) -> Child:
        return Child(kind, f"x-{ordinal}", member=MemberId("relayer", ordinal), deleting=deleting)

    snapshot = Snapshot(
        stateful_sets={"1": StatefulSetRecord(child("StatefulSet", 1))},
        services={
            "2": ServiceRecord(child("Service", 2)),
            "3": ServiceRecord(child("Service", 3, deleting=True)),
        },
        # Identities and volumes are meant to stay.
        children={
            ("Secret", "4"): child("Secret", 4),
            ("PersistentVolumeClaim", "5"): child("PersistentVolumeClaim", 5),
            ("ConfigMap", "6"): child("ConfigMap", 6),
        },
    )
    wanted = [MemberId("relayer", 0), MemberId("relayer", 1)]
    assert [member.ordinal for member in leftovers(snapshot, wanted)] == [2, 6]
