"""Whole fleets on a real cluster, by a real operator, as their users see them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    POD,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    STATUS_FLEET,
)
from support.cluster import Cluster
from support.operator_process import (
    FleetUser,
    condition,
    eventually,
    has_reason,
    is_true,
    operator,
)

RELAYER = {"replicas": 2, "expose": {"type": "NodePort", "addressScope": "Private"}}


def enodes(status: dict[str, Any]) -> list[str]:
    return [member["enode"].partition("@")[0] for member in status["members"]]


async def pods(user: FleetUser) -> dict[str, dict[str, Any]]:
    """Return the members' pods by name."""
    labels = f"statusfleet.io/fleet={user.name},statusfleet.io/ordinal"
    found = await user.client.list(POD, user.namespace, labels=labels)
    return {pod["metadata"]["name"]: pod for pod in found}


async def test_an_applied_fleet_works_and_is_then_left_in_peace_also_by_the_next_operator(
    cluster: Cluster,
    definition: str,
    client: KubeClient,
    namespace: str,
    image: str,
    tmp_path: Path,
) -> None:
    user = FleetUser(client, namespace, "eth-dev")
    where = (tmp_path, cluster.kubeconfig, namespace, image)
    async with operator(*where) as first:
        await user.apply(
            roles={"relayer": RELAYER, "mailserver": {"replicas": 1, "expose": RELAYER["expose"]}},
            canary={"interval": "2s"},
            tree={"domain": "nodes.test.example", "ttl": {"root": "1s"}},
        )
        await user.until(is_true("Ready"), "ready")
        await user.until(is_true("Reachable"), "reachable")
        await user.until(is_true("CanaryPassing"), "proved by the canary")
        status = await user.until(is_true("TreePropagated"), "propagated")
        assert (status["phase"], status["ready"], status["tree"]["records"]) == ("Ready", "3/3", 3)
        assert all(member["published"] for member in status["members"])
        before = await versions(user)
        await asyncio.sleep(6)
        assert await versions(user) == before
        await first.end()
    # What takes a moment to look at is as the last operator said it, until then too.
    async with operator(*where) as second:
        await eventually(second.leads)
        await asyncio.sleep(6)
        assert await versions(user) == before
        await user.delete()
        await user.until_gone()


async def versions(user: FleetUser) -> dict[tuple[str, str], str]:
    found = {}
    for kind in (CONFIG_MAP, DEPLOYMENT, SECRET, SERVICE, STATEFUL_SET, STATUS_FLEET):
        for item in await user.client.list(kind, user.namespace):
            found[kind.kind, item["metadata"]["name"]] = item["metadata"]["resourceVersion"]
    return found


async def test_a_change_that_restarts_goes_from_member_to_member(user: FleetUser) -> None:
    rollout = {"soak": "2s"}
    await user.apply(roles={"relayer": RELAYER}, rollout=rollout, canary={"enabled": False})
    before = await user.until(is_true("Ready"), "ready")
    old = {name: pod["metadata"]["uid"] for name, pod in (await pods(user)).items()}
    changed = {**RELAYER, "template": {"annotations": {"example.org/changed": "yes"}}}
    least = [2]

    async def watch() -> None:
        while True:
            found = (await user.status()).get("roles", {}).get("relayer", {})
            least.append(found.get("ready", 2))
            await asyncio.sleep(0.2)

    watching = asyncio.create_task(watch())
    await user.apply(roles={"relayer": changed}, rollout=rollout, canary={"enabled": False})

    async def done() -> bool:
        new = {name: pod["metadata"]["uid"] for name, pod in (await pods(user)).items()}
        return new.keys() == old.keys() and all(new[name] != old[name] for name in old)

    await eventually(done)
    after = await user.until(is_true("Ready"), "ready again")
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    assert min(least) == 1
    assert enodes(after) == enodes(before)


async def test_a_change_that_breaks_a_member_stops_there(user: FleetUser, image: str) -> None:
    quiet = {"rollout": {"soak": "1s"}, "canary": {"enabled": False}}
    await user.apply(roles={"relayer": RELAYER}, **quiet)
    await user.until(is_true("Ready"), "ready")
    wrong = {"repository": "statusfleet.test/nothing", "tag": "1", "pullPolicy": "Never"}
    await user.apply(roles={"relayer": RELAYER}, image=wrong, **quiet)
    status = await user.until(has_reason("Progressing", "RolloutStopped"), "stopped")
    assert "relayer-0" in condition(status, "Progressing")["message"]
    assert status["roles"]["relayer"]["ready"] == 1
    repository, _, tag = image.rpartition(":")
    own = {"repository": repository, "tag": tag, "pullPolicy": "Never"}
    await user.apply(roles={"relayer": RELAYER}, image=own, **quiet)
    status = await user.until(
        lambda status: is_true("Ready")(status) and has_reason("Progressing", "Steady")(status),
        "mended",
    )
    assert status["ready"] == "2/2"


async def test_a_deleted_fleet_is_gone_but_for_its_identities(user: FleetUser) -> None:
    await user.apply(roles={"relayer": RELAYER}, canary={"enabled": False})
    await user.until(is_true("Ready"), "ready")
    await user.delete()
    await user.until_gone()

    async def gone() -> bool:
        left = [
            item["metadata"]["name"]
            for kind in (DEPLOYMENT, POD, SERVICE, STATEFUL_SET)
            for item in await user.client.list(
                kind, user.namespace, labels={"statusfleet.io/fleet": user.name}
            )
        ]
        return not left

    await eventually(gone)
    found = await user.client.list(
        SECRET, user.namespace, labels={"statusfleet.io/part": "identity"}
    )
    assert f"{user.name}-relayer-0" in {item["metadata"]["name"] for item in found}
