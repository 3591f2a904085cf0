"""The operator as the chart installs it, within the cluster: whole fleets, and load balancers."""

from __future__ import annotations

from typing import Any

import pytest

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import SERVICE
from statusnode.discovery.dns import ReadTree, TreeReader
from statusnode.discovery.resolver import DnsResolver
from support.cluster import Cluster
from support.installed_chart import Place, installed
from support.load_balancers import BY_NAME, load_balancers
from support.operator_process import FleetUser, is_true

NODE_PORT = {"type": "NodePort", "addressScope": "Private"}
BALANCED = {"type": "LoadBalancer", "port": 443, "addressScope": "Private"}
QUICK: dict[str, Any] = {
    "canary": {"interval": "2s"},
    "tree": {"domain": "nodes.inside.example", "ttl": {"root": "1s"}},
}
SMALL = {"size": "64Mi"}


@pytest.fixture
def place(cluster: Cluster, definition: str, namespace: str, image: str, helm: str) -> Place:
    return Place(helm, cluster.kubeconfig, namespace, image)


async def whole(user: FleetUser) -> dict[str, Any]:
    """Wait until a fleet is ready, reached, published, read back and proved; return its status."""
    for kind in ("Ready", "Reachable", "TreePropagated"):
        await user.until(is_true(kind), kind)
    return await user.until(is_true("CanaryPassing"), "proved by its canary")


async def tree_of(user: FleetUser) -> ReadTree:
    """Read the tree from the fleet's own servers."""
    service = await user.client.get(SERVICE, user.namespace, f"{user.name}-dns")
    server = service["spec"]["clusterIP"], 53
    return await TreeReader(DnsResolver(server)).read((await user.status())["tree"]["url"])


async def test_a_fleet_that_names_all_roles_is_whole(client: KubeClient, place: Place) -> None:
    user = FleetUser(client, place.namespace)
    async with installed(place):
        await user.apply(
            roles={
                "bootstrap": {"replicas": 0},
                "relayer": {"replicas": 2, "expose": NODE_PORT},
                "rendezvous": {"replicas": 0},
                "mailserver": {"expose": NODE_PORT, "storage": SMALL},
            },
            **QUICK,
        )
        status = await whole(user)
        assert {role: count["desired"] for role, count in status["roles"].items()} == {
            "bootstrap": 0,
            "relayer": 2,
            "rendezvous": 0,
            "mailserver": 1,
        }
        tree = await tree_of(user)
        assert {str(record) for record in tree.nodes} == {m["enr"] for m in status["members"]}
        await user.delete()
        await user.until_gone()


async def test_load_balancers_by_address_and_by_name_are_published_and_followed(
    client: KubeClient, place: Place
) -> None:
    user = FleetUser(client, place.namespace)
    async with installed(place), load_balancers(client, place.namespace) as balancers:
        await user.apply(
            roles={
                "relayer": {"expose": {**BALANCED, "annotations": BY_NAME}},
                "mailserver": {"expose": BALANCED, "storage": SMALL},
            },
            **QUICK,
        )
        before = await whole(user)
        for member in before["members"]:
            device = await client.get(
                SERVICE, place.namespace, f"{user.name}-{member['name']}-device"
            )
            assert member["address"] == f"{device['spec']['clusterIP']}:443"
            assert member["addressSource"] == "LoadBalancer"

        # Each gets another address; only whoever dials it there can tell that it is the same node.
        for member in before["members"]:
            await balancers.move(f"{user.name}-{member['name']}")
        old = {member["name"]: member for member in before["members"]}

        def followed(status: dict[str, Any]) -> bool:
            return all(
                member["seq"] == old[member["name"]]["seq"] + 1
                and member["address"] != old[member["name"]]["address"]
                for member in status["members"]
            )

        await user.until(followed, "followed to its new address")
        status = await whole(user)
        tree = await tree_of(user)
        assert {str(record) for record in tree.nodes} == {m["enr"] for m in status["members"]}
        await user.delete()
        await user.until_gone()
