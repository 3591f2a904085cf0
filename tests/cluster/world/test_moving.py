"""A member that moves to another node: its readers find it there, under the key they know."""

from __future__ import annotations

from typing import Any

import pytest

from statusfleet.canary.knock import knocker
from statusfleet.kube.kinds import NODE, SERVICE
from statusnode.crypto.keys import PrivateKey
from statusnode.discovery.dns import TreeReader
from statusnode.discovery.resolver import DnsResolver
from statusnode.records.enr import Record
from support.operator_process import FleetUser, eventually, is_true

QUIET: dict[str, Any] = {
    "canary": {"enabled": False},
    "rollout": {"soak": "0s"},
    "tree": {"domain": "nodes.moving.example", "ttl": {"root": "1s"}},
}


def relayer(host: str) -> dict[str, Any]:
    return {
        "expose": {"type": "NodePort", "addressScope": "Private"},
        "template": {"nodeSelector": {"kubernetes.io/hostname": host}},
    }


async def test_the_tree_follows_a_member_to_its_new_node(user: FleetUser) -> None:
    hosts = sorted(node["metadata"]["name"] for node in await user.client.list(NODE))
    if len(hosts) < 2:
        pytest.skip("needs two nodes")
    await user.apply(roles={"relayer": relayer(hosts[0])}, **QUIET)
    status = await user.until(is_true("TreePropagated"), "propagated")
    before = Record.parse(status["members"][0]["enr"])
    service = await user.client.get(SERVICE, user.namespace, f"{user.name}-dns")
    reader = TreeReader(DnsResolver((service["spec"]["clusterIP"], 53)))

    await user.apply(roles={"relayer": relayer(hosts[1])}, **QUIET)
    found: list[Record] = []

    async def followed() -> bool:
        tree = await reader.read(status["tree"]["url"])
        found[:] = tree.nodes
        return [record.seq for record in found] == [before.seq + 1]

    await eventually(followed)
    (after,) = found
    assert after.node_id == before.node_id
    assert after.ip != before.ip
    assert await knocker(PrivateKey.generate())(after.enode()) == ""
    await user.until(is_true("Ready"), "ready")
