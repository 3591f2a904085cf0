"""Whom the tree shows while nodes and pods change, on an API server without kubelets.

Nobody answers at the addresses, so what is ready is published without a dial.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import CONFIG_MAP, NODE
from statusnode.records.enr import Record
from support.kube_api import ApiServer
from support.operator_process import FleetUser, condition, operator
from support.pretended_pods import run_pod, say_ready

IMAGE = "statusfleet.test/statusfleet:test"
GRACE_SECONDS = 1
QUIET: dict[str, Any] = {
    "canary": {"enabled": False},
    "tree": {
        "domain": "nodes.small.example",
        "ttl": {"root": "1s"},
        "publish": [{"zoneFile": {"configMap": "zone"}}],
    },
}


@pytest.fixture
async def user(
    api_server: ApiServer, definition: None, client: KubeClient, namespace: str, tmp_path: Path
) -> AsyncIterator[FleetUser]:
    """Somebody in a namespace where an operator works that dials nobody first."""
    more = ("--publish-unreachable", "--unready-grace", str(GRACE_SECONDS))
    async with operator(tmp_path, api_server.kubeconfig(), namespace, IMAGE, *more):
        yield FleetUser(client, namespace)


async def zone(user: FleetUser) -> str:
    found = await user.client.get(CONFIG_MAP, user.namespace, "zone")
    return "".join(found["data"].values())


def addresses(ip: str) -> dict[str, Any]:
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    return {"addresses": [{"type": "InternalIP", "address": ip}], "conditions": [ready]}


@asynccontextmanager
async def node_at(client: KubeClient, ip: str) -> AsyncIterator[str]:
    """Have a node that is ready, at that address."""
    name = f"node-{secrets.token_hex(3)}"
    await client.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    try:
        await moves(client, name, ip)
        yield name
    finally:
        await client.delete(NODE, "", name)


async def moves(client: KubeClient, node: str, ip: str) -> None:
    await client.patch(NODE, "", node, {"status": addresses(ip)}, subresource="status")


async def test_a_node_that_gets_another_address_gives_its_members_new_records(
    user: FleetUser,
) -> None:
    old, new = "172.30.77.1", "172.30.77.2"
    relayer = {"expose": {"type": "NodePort", "addressScope": "Private"}}
    async with node_at(user.client, old) as node:
        await user.apply(roles={"relayer": relayer}, **QUIET)
        await run_pod(user, "relayer-0", node=node)
        status = await user.until(published(1), "published")
        before = Record.parse(status["members"][0]["enr"])
        assert before.ip == old
        await moves(user.client, node, new)
        status = await user.until(
            lambda status: status["tree"]["seq"] == 2 and published(1)(status), "published anew"
        )
        after = Record.parse(status["members"][0]["enr"])
        assert (after.ip, after.tcp, after.seq) == (new, before.tcp, before.seq + 1)
        assert after.node_id == before.node_id
        assert str(after) in (await zone(user)).replace('" "', "")


async def test_a_fleet_that_goes_dark_keeps_half_of_its_tree_until_it_is_back(
    user: FleetUser,
) -> None:
    expose = {"type": "ClusterIP", "addressScope": "Private"}
    names = [f"relayer-{number}" for number in range(4)]
    await user.apply(roles={"relayer": {"replicas": 4, "expose": expose}}, **QUIET)
    for name in names:
        await run_pod(user, name)
    await user.until(published(4), "published")
    for name in names:
        await say_ready(user, name, ready=False)
    status = await user.until(published(2), "half of it")
    assert status["ready"] == "0/4"
    seq = status["tree"]["seq"]
    await asyncio.sleep(3 * GRACE_SECONDS)
    status = await user.until(published(2), "the same half still")
    assert status["tree"]["seq"] == seq
    assert (await zone(user)).count("enr:") == 2 + 2  # two that are gone are not forgotten yet
    for name in names:
        await say_ready(user, name, ready=True)
    await user.until(published(4), "whole again")


def published(members: int) -> Any:
    """Return the question whether the sink has so many, and the status says who they are."""

    def holds(status: dict[str, Any]) -> bool:
        rows = [row for row in status.get("members") or () if row.get("published")]
        told = condition(status, "TreePublished").get("status") == "True"
        return told and len(rows) == status["tree"]["records"] == members

    return holds
