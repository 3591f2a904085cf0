"""Fields that no running member shows: how a fleet ends, its names, what is not used yet."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    EVENT,
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

RELAYER = {"expose": {"type": "ClusterIP", "addressScope": "Private"}}
QUIET: dict[str, Any] = {"canary": {"enabled": False}}


def listed(**deletion: Any) -> dict[str, Any]:
    """A fleet whose tree readers may keep for an hour, and which nobody waits an hour for."""
    publish = [{"embedded": {}}, {"zoneFile": {"configMap": "zone"}}]
    tree = {"domain": "nodes.ends.example", "ttl": {"root": "1h"}, "publish": publish}
    return {"roles": {"relayer": RELAYER}, "tree": tree, "deletion": deletion, **QUIET}


async def zone(user: FleetUser) -> dict[str, Any] | None:
    return await user.client.find(CONFIG_MAP, user.namespace, "zone")


async def identities(user: FleetUser) -> list[str]:
    labels = {"statusfleet.io/fleet": user.name, "statusfleet.io/part": "identity"}
    found = await user.client.list(SECRET, user.namespace, labels=labels)
    return sorted(secret["metadata"]["name"].removeprefix(f"{user.name}-") for secret in found)


async def uids(user: FleetUser) -> dict[str, str]:
    labels = {"statusfleet.io/fleet": user.name}
    pods = await user.client.list(POD, user.namespace, labels=labels)
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in pods}


async def test_a_deleted_fleet_waits_for_its_readers_and_leaves_nothing_where_it_says_so(
    user: FleetUser,
) -> None:
    await user.apply(**listed(identities="Delete", tree="Unpublish", drain=True))
    await user.until(is_true("TreePublished"), "published")
    assert await identities(user) == ["relayer-0", "tree"]
    assert await zone(user) is not None
    await user.delete()
    status = await user.until(has_reason("Progressing", "Deleting"), "being deleted")
    assert "readers have forgotten" in condition(status, "Progressing")["message"]
    assert await zone(user) is None
    # Somebody changes their mind about an hour of waiting.
    hurry = {"spec": {"deletion": {"drain": False}}}
    await user.client.patch(STATUS_FLEET, user.namespace, user.name, hurry)
    await user.until_gone()
    assert await identities(user) == []


async def test_a_deleted_fleet_leaves_identities_and_tree_where_it_says_so(
    user: FleetUser,
) -> None:
    await user.apply(**listed(identities="Retain", tree="Keep", drain=True))
    await user.until(is_true("TreePublished"), "published")
    await user.delete()
    await user.until_gone()
    assert await zone(user) is not None
    assert await identities(user) == ["relayer-0", "tree"]


async def test_a_fleet_that_is_orphaned_goes_on_and_is_taken_over_by_one_of_its_name(
    user: FleetUser,
) -> None:
    ending = listed(identities="Delete", tree="Unpublish", drain=False)
    await user.apply(**ending)
    await user.until(is_true("Ready"), "ready")
    pods, before = await uids(user), await zone(user)
    await user.client.delete(STATUS_FLEET, user.namespace, user.name, propagation="Orphan")
    await user.until_gone()
    for kind in (STATEFUL_SET, SERVICE, DEPLOYMENT):
        labels = {"statusfleet.io/fleet": user.name}
        found = await user.client.list(kind, user.namespace, labels=labels)
        assert found
        assert not any("ownerReferences" in one["metadata"] for one in found)
    assert before is not None
    assert (await zone(user) or {}).get("data") == before["data"]
    assert await identities(user) == ["relayer-0", "tree"]
    await user.apply(**ending)
    await user.until(is_true("Ready"), "ready again")
    assert await uids(user) == pods
    assert (await zone(user) or {}).get("data") == before["data"]


async def test_a_sink_or_a_tree_that_is_taken_out_of_the_spec_shows_nothing_any_more(
    cluster: Cluster,
    definition: str,
    client: KubeClient,
    namespace: str,
    image: str,
    tmp_path: Path,
) -> None:
    user = FleetUser(client, namespace, "moving")
    where = (tmp_path, cluster.kubeconfig, namespace, image)
    spec = listed()
    embedded = [{"embedded": {}}]

    async def is_gone() -> bool:
        return await zone(user) is None

    async with operator(*where) as first:
        await user.apply(**spec)
        await user.until(is_true("TreePublished"), "published")
        assert await zone(user) is not None
        await user.apply(**{**spec, "tree": {**spec["tree"], "publish": embedded}})
        await eventually(is_gone)
        await user.apply(**spec)
        await user.until(is_true("TreePublished"), "published again")
        assert await zone(user) is not None
        await first.end(signal.SIGKILL)
    # Nobody sees this one.
    await user.client.patch(STATUS_FLEET, namespace, user.name, {"spec": {"tree": None}})
    async with operator(*where):
        await eventually(is_gone)
        status = await user.until(has_reason("TreePublished", "NotApplicable"), "without a tree")
        assert "still published" not in condition(status, "TreePublished")["message"]


async def test_a_sink_that_is_taken_out_keeps_the_tree_where_the_spec_says_so_and_that_is_told(
    user: FleetUser,
) -> None:
    spec = listed(tree="Keep")
    await user.apply(**spec)
    await user.until(is_true("TreePublished"), "published")
    await user.apply(**{**spec, "tree": {**spec["tree"], "publish": [{"embedded": {}}]}})

    async def told() -> bool:
        events = await user.client.list(EVENT, user.namespace)
        return any(e["reason"] == "TreeLeft" and "zoneFile:zone" in e["message"] for e in events)

    await eventually(told)
    assert await zone(user) is not None


async def test_a_sink_that_does_not_let_go_is_told_and_a_deleted_fleet_waits_for_it(
    user: FleetUser,
) -> None:
    spec = listed(drain=False)
    await user.apply(**spec)
    await user.until(is_true("TreePublished"), "published")

    async def give(fleet: str) -> None:
        label = {"metadata": {"labels": {"statusfleet.io/fleet": fleet}}}
        await user.client.patch(CONFIG_MAP, user.namespace, "zone", label)

    await give("another")
    await user.apply(**{**spec, "tree": {**spec["tree"], "publish": [{"embedded": {}}]}})
    status = await user.until(
        lambda status: "zoneFile:zone" in condition(status, "TreePublished").get("message", ""),
        "told of",
    )
    assert condition(status, "TreePublished")["status"] == "True"
    rows = {row["name"]: row for row in status["tree"]["sinks"]}
    assert (rows["embedded"]["state"], rows["zoneFile:zone"]["state"]) == ("Published", "Failed")
    assert "set spec.deletion.tree to Keep" in rows["zoneFile:zone"]["message"]
    await user.client.patch(STATUS_FLEET, user.namespace, user.name, {"spec": {"tree": None}})
    await user.until(has_reason("TreePublished", "NotApplicable"), "without a tree")
    await user.delete()
    status = await user.until(has_reason("Progressing", "Deleting"), "being deleted")
    assert "zoneFile:zone" in condition(status, "Progressing")["message"]
    await give(user.name)
    await user.until_gone()
    assert await zone(user) is None


async def test_names_stand_in_the_list_of_nodes_and_what_has_no_effect_is_told(
    user: FleetUser, cluster: Cluster
) -> None:
    address = {"ip": "172.30.0.99", "tcp": 443, "udp": 443}
    relayer = {**RELAYER, "members": [{"ordinal": 0, "address": address}]}
    names: dict[str, Any] = {"fleetName": "eth.ends", "datacenter": "do-ams3"}
    await user.apply(roles={"relayer": relayer}, **QUIET, **names)
    await user.until(is_true("AddressesReady"), "addressed")

    async def told() -> bool:
        events = await user.client.list(EVENT, user.namespace)
        return any(
            event["reason"] == "NotApplicable" and ".address.udp: " in event["message"]
            for event in events
        )

    await eventually(told)
    where = ("--namespace", user.namespace, "--kubeconfig", cluster.kubeconfig)
    command = (sys.executable, "-m", "statusfleet.cli.kubectl.main", "nodes", user.name, *where)
    said = await asyncio.to_thread(
        subprocess.check_output, [*command, "--format", "fleets-json"], text=True
    )
    fleet = json.loads(said)["fleets"]["eth.ends"]
    hosts = [host for service in fleet.values() for host in service]
    assert [host.partition(".")[2] for host in hosts] == ["do-ams3.eth.ends"]
