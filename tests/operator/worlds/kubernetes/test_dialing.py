"""Dialing a member from its own node: which pod is made, what its end means, that none is left."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from statusfleet.canary import knock
from statusfleet.kube.errors import ForbiddenError
from statusfleet.kube.kinds import Kind
from statusfleet.plan import MemberId, ObservedMember
from statusfleet.worlds.kubernetes import dialing
from statusfleet.worlds.kubernetes.dialing import NodeDialing
from statusfleet.worlds.kubernetes.names import Owner
from statusfleet.worlds.kubernetes.records import PodRecord, Snapshot, pod_from_body
from statusfleet.worlds.protocol import Vantage
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enode import Enode
from support.fleet_observations import fleet

OWNER = Owner("status", "eth-dev", "11111111-2222-3333-4444-555555555555")
IMAGE = "registry.example/statusfleet:1.0"
MEMBER = MemberId("relayer", 0)
BALANCED = ObservedMember(MEMBER, address_source="LoadBalancer", node="node-2")
ENODE = Enode(PrivateKey(b"\x11" * 32).public_key, "203.0.113.7", 443, 0)
RELAYER = {
    "replicas": 2,
    "template": {"tolerations": [{"key": "relay", "operator": "Exists", "effect": "NoExecute"}]},
}
SUCCEEDED = {
    "phase": "Succeeded",
    "containerStatuses": [{"state": {"terminated": {"exitCode": 0}}}],
}


def failed(code: int, message: str) -> dict[str, Any]:
    ended = {"terminated": {"exitCode": code, "message": message}}
    return {"phase": "Failed", "containerStatuses": [{"state": ended}]}


class FakeNode:
    """A pretended cluster of pods alone: each ends as the test says, as soon as it is made."""

    def __init__(
        self,
        *ends: dict[str, Any] | None,
        refuses: str = "",
        image: Mapping[str, Any] | None = None,
    ) -> None:
        self.ends = list(ends)
        self.image = image or {}
        self.refuses = refuses
        self.made: list[Mapping[str, Any]] = []
        self.pods: dict[str, PodRecord] = {}
        self.dialing = self.of(reached={})

    def of(self, reached: Mapping[str, str], *, wanted: bool = True) -> NodeDialing:
        return NodeDialing(
            self,  # type: ignore[arg-type]  # of a client, these two calls alone
            OWNER,
            lambda: Snapshot(pods=dict(self.pods)),
            lambda: fleet({"roles": {"relayer": RELAYER}, "image": self.image}),
            image=IMAGE,
            wanted=wanted,
            slots=asyncio.Semaphore(2),
            reached=reached,
        )

    async def create(self, body: Mapping[str, Any]) -> None:
        if self.refuses:
            raise ForbiddenError("create Pod", self.refuses)
        self.made.append(body)
        self.shows(body, self.ends.pop(0) if self.ends else None)

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str = "") -> bool:
        assert (kind.kind, namespace) == ("Pod", "status")
        if self.refuses:
            raise ForbiddenError("delete Pod", self.refuses)
        return self.pods.pop(name, None) is not None

    def shows(self, body: Mapping[str, Any], status: dict[str, Any] | None) -> None:
        record = pod_from_body({**body, "status": status or {}})
        self.pods[record.name] = record
        self.dialing.look()


def place(found: NodeDialing) -> Vantage:
    vantage = found.vantage(BALANCED)
    assert vantage is not None
    return vantage


async def a_moment() -> None:
    """Let all go on that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_only_members_behind_load_balancers_are_dialed_from_their_nodes_and_only_if_wanted() -> (
    None
):
    node = FakeNode()
    assert place(node.dialing).name == "its own node node-2"
    for source in ("NodePort/InternalIP", "Override", "ClusterIP", ""):
        assert node.dialing.vantage(ObservedMember(MEMBER, address_source=source)) is None
    assert node.of({}, wanted=False).vantage(BALANCED) is None
    assert node.dialing.vantage(ObservedMember(MEMBER, address_source="LoadBalancer")) is None


async def test_a_pod_on_the_members_node_dials_its_address_and_is_taken_away() -> None:
    node = FakeNode(SUCCEEDED)
    assert await place(node.dialing).knock(ENODE) == ""
    (body,) = node.made
    spec = body["spec"]
    assert spec["nodeName"] == "node-2"
    assert spec["tolerations"] == [{"key": "relay", "operator": "Exists", "effect": "NoExecute"}]
    assert spec["containers"][0]["args"] == [str(ENODE)]
    assert node.pods == {}


async def test_the_pod_runs_the_operator_s_image_where_the_fleet_is_held_at_another() -> None:
    image = {"repository": "mirror.example/old", "tag": "0.1", "pullSecrets": ["mine"]}
    node = FakeNode(SUCCEEDED, image=image)
    await place(node.dialing).knock(ENODE)
    (body,) = node.made
    (container,) = body["spec"]["containers"]
    assert container["image"] == IMAGE
    # What the fleet has for pulling images is all that its namespace has.
    assert body["spec"]["imagePullSecrets"] == [{"name": "mine"}]


async def test_a_pod_that_may_not_be_taken_away_holds_up_nobody() -> None:
    node = FakeNode(refuses="by a policy")
    node.shows({"metadata": {"name": "stray", "labels": OWNER.dial_labels}}, None)
    await node.dialing.sweep()
    assert node.pods.keys() == {"stray"}


async def test_the_pod_belongs_to_the_fleet_and_to_no_member_has_no_rights_and_ends_by_itself() -> (
    None
):
    node = FakeNode(SUCCEEDED)
    await place(node.dialing).knock(ENODE)
    (body,) = node.made
    metadata, spec = body["metadata"], body["spec"]
    assert metadata["ownerReferences"][0]["uid"] == OWNER.uid
    assert metadata["labels"]["statusfleet.io/fleet"] == OWNER.name
    assert not {"statusfleet.io/role", "statusfleet.io/ordinal"} & metadata["labels"].keys()
    assert spec["automountServiceAccountToken"] is False
    assert spec["restartPolicy"] == "Never"
    assert spec["activeDeadlineSeconds"] > 0
    (container,) = spec["containers"]
    assert container["resources"].keys() == {"requests", "limits"}
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (failed(knock.NOT_REACHED, "no connection: refused\n"), "no connection: refused"),
        (failed(1, "No module named statusfleet.canary"), "No module named statusfleet.canary"),
        ({"phase": "Failed", "reason": "OutOfcpu", "message": "Node has no room"}, "no room"),
    ],
)
async def test_how_a_pod_ended_says_what_is_in_the_way(end: dict[str, Any], said: str) -> None:
    node = FakeNode(end)
    assert said in await place(node.dialing).knock(ENODE)
    assert node.pods == {}


async def test_a_pod_that_may_not_be_made_is_told_of() -> None:
    node = FakeNode(refuses="pods is forbidden: no right to create")
    assert "no right to create" in await place(node.dialing).knock(ENODE)


async def test_a_pod_that_does_not_run_is_waited_for_and_then_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dialing, "PATIENCE_SECONDS", 0.1)
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}
    node = FakeNode({"phase": "Pending", "containerStatuses": [{"state": waiting}]})
    assert "no such image" in await place(node.dialing).knock(ENODE)
    assert node.pods == {}


async def test_a_pod_that_somebody_deletes_ends_the_wait() -> None:
    node = FakeNode(None)
    knocking = asyncio.create_task(place(node.dialing).knock(ENODE))
    await a_moment()
    node.pods.clear()
    node.dialing.look()
    assert "was deleted" in await knocking


async def test_what_was_reached_before_the_operator_started_takes_no_pod_once() -> None:
    node = FakeNode(SUCCEEDED)
    node.dialing = node.of({"relayer-0": str(ENODE)})
    assert await place(node.dialing).knock(ENODE) == ""
    assert node.made == []
    assert await place(node.dialing).knock(ENODE) == ""
    assert len(node.made) == 1


async def test_pods_that_nobody_waits_for_are_swept_away_and_no_others() -> None:
    node = FakeNode(None)
    knocking = asyncio.create_task(place(node.dialing).knock(ENODE))
    await a_moment()
    (awaited,) = node.pods
    stray = {"name": "stray", "labels": OWNER.dial_labels}
    member = {"name": "eth-dev-relayer-0-0", "labels": OWNER.member_labels(MEMBER)}
    node.shows({"metadata": stray}, None)
    node.shows({"metadata": member}, None)
    await node.dialing.sweep()
    assert node.pods.keys() == {awaited, "eth-dev-relayer-0-0"}
    node.shows(node.made[0], SUCCEEDED)
    assert await knocking == ""
    assert node.pods.keys() == {"eth-dev-relayer-0-0"}


async def test_no_more_pods_dial_at_a_time_than_there_are_turns() -> None:
    node = FakeNode()
    knocking = [asyncio.create_task(place(node.dialing).knock(ENODE)) for _ in range(3)]
    await a_moment()
    assert len(node.made) == 2
    node.ends = [SUCCEEDED]
    for body in list(node.made):
        node.shows(body, SUCCEEDED)
    assert await asyncio.gather(*knocking) == ["", "", ""]


def test_both_sides_mean_the_same_by_the_exit_code() -> None:
    assert dialing.NOT_REACHED == knock.NOT_REACHED
