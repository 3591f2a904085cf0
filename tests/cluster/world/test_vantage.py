"""From where members are dialed: a cluster that keeps its own traffic from its load balancers.

    operator, a process outside of the nodes ── RLPx ──> address: nobody there
    pod on the member's node ── RLPx ──> address ── kube-proxy ──> the member

The load balancer is a fake: the test writes its address into the Service's status, as a cloud's
controller would, and behind the address there is no device. It is one of the nodes' own network
that no machine has, so that only the nodes themselves lead it anywhere.
"""

from __future__ import annotations

import ipaddress
import random
import secrets
from pathlib import Path
from typing import Any

import pytest

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import NODE, POD, SERVICE
from support.cluster import Cluster
from support.operator_process import FleetUser, condition, eventually, has_reason, is_true, operator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

BALANCED = {"type": "LoadBalancer", "port": 443, "addressScope": "Private"}


async def free_address(client: KubeClient) -> str:
    """Return an address of the nodes' network that none of them has."""
    taken = {
        entry["address"]
        for node in await client.list(NODE)
        for entry in node["status"]["addresses"]
        if entry["type"] == "InternalIP"
    }
    network = ipaddress.ip_network(f"{min(taken)}/24", strict=False)
    free = [str(host) for host in list(network.hosts())[100:] if str(host) not in taken]
    return random.choice(free)


async def give_address(client: KubeClient, namespace: str, name: str, address: str) -> None:
    """Play the controller of load balancers for one Service, as soon as it is there."""

    async def there() -> bool:
        return await client.find(SERVICE, namespace, name) is not None

    await eventually(there)
    status = {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
    await client.patch(SERVICE, namespace, name, status, subresource="status")


async def dialing_pods(user: FleetUser) -> list[dict[str, Any]]:
    labels = {"statusfleet.io/fleet": user.name, "statusfleet.io/part": "dial"}
    return await user.client.list(POD, user.namespace, labels=labels)


async def test_a_member_that_only_its_own_node_reaches_is_published_when_it_is_dialed_from_there(
    cluster: Cluster,
    definition: str,
    client: KubeClient,
    namespace: str,
    image: str,
    tmp_path: Path,
) -> None:
    user = FleetUser(client, namespace, f"fleet-{secrets.token_hex(2)}")
    address = await free_address(client)
    async with operator(tmp_path, cluster.kubeconfig, namespace, image) as running:
        await user.apply(
            roles={"relayer": {"replicas": 1, "expose": BALANCED}},
            canary={"enabled": False},
            tree={
                "domain": "nodes.vantage.example",
                "ttl": {"root": "1s"},
                "publish": [{"zoneFile": {"configMap": f"{user.name}-zone"}}],
            },
        )
        await give_address(client, namespace, f"{user.name}-relayer-0", address)
        status = await user.until(has_reason("Reachable", "NotReached"), "found to be cut off")
        told = condition(status, "Reachable")["message"]
        assert told.startswith("dialed from the operator: relayer-0: ")
        assert "operator.dialLoadBalancersFrom" in told
        assert not status["members"][0]["published"]
        assert await dialing_pods(user) == []
        await running.end()

    option = ("--dial-load-balancers-from", "member-node")
    async with operator(tmp_path, cluster.kubeconfig, namespace, image, *option):
        await user.until(is_true("Reachable"), "reached from its own node")
        status = await user.until(lambda status: status["members"][0]["published"], "published")
        assert status["members"][0]["address"] == f"{address}:443"
        member = await client.get(POD, namespace, f"{user.name}-relayer-0-0")
        told = condition(status, "Reachable")["message"]
        assert f"relayer-0 dialed from its own node {member['spec']['nodeName']};" in told

        async def none_left() -> bool:
            return await dialing_pods(user) == []

        await eventually(none_left)
        await user.delete()
        await user.until_gone()
