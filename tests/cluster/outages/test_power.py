"""A node loses its power: for a while, for good, or by being taken out of the cluster."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from statusfleet.kube.kinds import POD
from support.cluster import Cluster, eventually
from support.fleet_mail import archived, still_archived
from support.operator_process import FleetUser, condition, has_reason, is_true, operator
from support.whole_fleet import EXPOSE, Json, enodes, identities, numbers, row, spec, whole

NODE = "node-2"
_OUT_OF_SERVICE = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
_GRACE = ("--unready-grace", "5")


pytestmark = pytest.mark.usefixtures("alone")


@asynccontextmanager
async def power_loss(cluster: Cluster) -> AsyncIterator[None]:
    """Take the power of a node away; it has it again, and is as it was, afterwards."""
    number = NODE.removeprefix("node-")
    await asyncio.to_thread(cluster.machine, "stop-node", number)
    try:
        yield
    finally:
        await asyncio.to_thread(cluster.machine, "start-node", number)

        def is_back() -> bool:
            # One that was deleted has to be made anew first.
            wait = ("wait", "--for=condition=Ready", "--timeout=5s", f"node/{NODE}")
            return cluster.ask(*wait).code == 0

        await asyncio.to_thread(eventually, is_back)


async def residents(user: FleetUser) -> set[str]:
    """Return the members whose pods are on the node, one of each role."""
    labels = f"statusfleet.io/fleet={user.name},statusfleet.io/ordinal"
    pods = await user.client.list(POD, user.namespace, labels=labels)
    names = {pod["metadata"]["name"] for pod in pods if pod["spec"].get("nodeName") == NODE}
    members = {name.removeprefix(f"{user.name}-").removesuffix("-0") for name in names}
    roles = {pod["metadata"]["labels"]["statusfleet.io/role"] for pod in pods}
    assert {member.rpartition("-")[0] for member in members} == roles, "they are not spread"
    return members


def mailserver_of(members: set[str]) -> str:
    return next(member for member in members if member.startswith("mailserver"))


def relayer_of(members: set[str]) -> str:
    return next(member for member in members if member.startswith("relayer"))


async def test_a_node_without_power_is_told_of_and_returns_with_its_members_and_their_mail(
    cluster: Cluster, user: FleetUser, image: str, tmp_path: Path
) -> None:
    async with operator(tmp_path, cluster.kubeconfig, user.namespace, image, *_GRACE):
        await user.apply(**spec(mailservers=2))
        before = await whole(user)
        lost = await residents(user)
        left = enodes(before).keys() - lost
        mail = await archived(enodes(before)[mailserver_of(lost)])
        async with power_loss(cluster):

            def told(status: Json) -> bool:
                words = condition(status, "Ready").get("message", "")
                return all(f"{name}: its node {NODE} does not answer" in words for name in lost)

            status = await user.until(told, "told")
            assert f"kubectl taint nodes {NODE}" in condition(status, "Ready")["message"]

            def unlisted(status: Json) -> bool:
                return {m["name"] for m in status["members"] if m["published"]} == left

            status = await user.until(unlisted, "out of the tree")
            assert {m["name"] for m in status["members"] if m["ready"]} == left
            await archived(enodes(before)[mailserver_of(left)])
            # Wherever the canary ran, it runs now, and finds those who are left at work.
            await user.until(is_true("CanaryPassing"), "proved by the canary")
        after = await whole(user)
        assert enodes(after) == enodes(before)
        assert {name: seq for name, seq in numbers(after).items() if name != "the tree"} == {
            name: seq for name, seq in numbers(before).items() if name != "the tree"
        }
        assert numbers(after)["the tree"] > numbers(before)["the tree"]
        await still_archived(enodes(after)[mailserver_of(lost)], mail)


async def test_members_of_a_node_out_of_service_start_elsewhere_where_their_volumes_allow(
    cluster: Cluster, user: FleetUser, image: str, tmp_path: Path
) -> None:
    other = FleetUser(user.client, user.namespace, f"{user.name}-moves")
    async with operator(tmp_path, cluster.kubeconfig, user.namespace, image, *_GRACE):
        with movable_volumes(cluster, tmp_path) as storage_class:
            storage = {"size": "64Mi", "storageClassName": storage_class}
            mailserver = {"replicas": 2, "expose": EXPOSE, "storage": storage}
            await other.apply(roles={"mailserver": mailserver}, canary={"enabled": False})
            await user.apply(**spec(mailservers=2))
            before, before_other = await whole(user), await steady(other)
            lost, lost_other = await residents(user), await residents(other)
            stayer, mover = mailserver_of(lost), mailserver_of(lost_other)
            mail = await archived(enodes(before_other)[mover])
            kept = await archived(enodes(before)[stayer])
            async with power_loss(cluster), out_of_service(cluster):
                status = await moved(user, relayer_of(lost), before)
                assert identities(status) == identities(before)
                status = await moved(other, mover, before_other)
                assert identities(status) == identities(before_other)
                await still_archived(enodes(status)[mover], mail)

                def told(status: Json) -> bool:
                    words = f"{stayer}: no node takes its pod: its volume is on a node"
                    return words in condition(status, "Ready").get("message", "")

                status = await user.until(told, "told")
                assert "bring that node back" in condition(status, "Ready")["message"]
            after = await whole(user)
            assert identities(after) == identities(before)
            await still_archived(enodes(after)[stayer], kept)
            await other.delete()
            await other.until_gone()


async def test_members_of_a_node_that_was_deleted_are_told_of_at_once_and_start_elsewhere(
    cluster: Cluster, user: FleetUser, image: str, tmp_path: Path
) -> None:
    async with operator(tmp_path, cluster.kubeconfig, user.namespace, image, *_GRACE):
        relayer = {"replicas": 2, "expose": EXPOSE}
        await user.apply(roles={"relayer": relayer}, canary={"enabled": False})
        before = await steady(user)
        (lost,) = await residents(user)
        async with power_loss(cluster):
            await asyncio.to_thread(cluster.kubectl, "delete", "node", NODE)

            # The cluster takes a minute to notice, and calls the pod ready until then.
            def told(status: Json) -> bool:
                words = condition(status, "Ready").get("message", "")
                return f"{lost}: its node {NODE} was deleted" in words

            await user.until(told, "told")
            status = await moved(user, lost, before)
            assert identities(status) == identities(before)


@asynccontextmanager
async def out_of_service(cluster: Cluster) -> AsyncIterator[None]:
    """Say that the node will not come back; it may after all, afterwards."""
    await asyncio.to_thread(cluster.wait, "condition=Ready=Unknown", f"node/{NODE}")
    await asyncio.to_thread(cluster.kubectl, "taint", "nodes", NODE, _OUT_OF_SERVICE)
    try:
        yield
    finally:
        await asyncio.to_thread(cluster.kubectl, "taint", "nodes", NODE, f"{_OUT_OF_SERVICE}-")


async def steady(user: FleetUser) -> Json:
    """Wait until all members are ready and nothing is under way."""

    def holds(status: Json) -> bool:
        steady = has_reason("Progressing", "Steady")(status)
        return steady and has_reason("Ready", "AllReady")(status)

    return await user.until(holds, "steady")


async def moved(user: FleetUser, member: str, before: Json) -> Json:
    """Wait until a member is ready at another address, with the next number; return the status."""
    old = row(before, member)

    def elsewhere(status: Json) -> bool:
        new = row(status, member)
        return bool(new["ready"]) and new["address"] != old["address"]

    status = await user.until(elsewhere, f"{member} elsewhere")
    assert row(status, member)["seq"] == old["seq"] + 1
    return status


def volume(name: str, folder: Path) -> dict[str, Any]:
    """Return a volume that is the same on every node: all of them have this machine's folders."""
    folder.mkdir()
    folder.chmod(0o777)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{name}-{folder.name}", "labels": {"test": name}},
        "spec": {
            "capacity": {"storage": "64Mi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": name,
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": str(folder)},
        },
    }


@contextmanager
def movable_volumes(cluster: Cluster, folder: Path) -> Iterator[str]:
    """Have two volumes that go with a member to any node; give the name of their class."""
    name = f"movable-{secrets.token_hex(3)}"
    for number in range(2):
        answer = cluster.apply([volume(name, folder / str(number))])
        assert answer.code == 0, answer.err
    try:
        yield name
    finally:
        cluster.kubectl("delete", "persistentvolumes", f"--selector=test={name}", "--wait=false")
