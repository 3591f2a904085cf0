"""An operator that publishes to a fleet's own servers: what others break, and its own death."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import CONFIG_MAP, POD, SERVICE
from statusnode.discovery.dns import ReadTree, TreeReader
from statusnode.records.tree import TreeError
from support.cluster import Cluster
from support.operator_process import FleetUser, eventually, is_true, operator
from support.tree_walker import AnyServer, walking

DOMAIN = "nodes.test.example"


def spec(relayers: int, *, ttl: str = "1s", **embedded: Any) -> dict[str, Any]:
    expose = {"type": "ClusterIP", "addressScope": "Private"}
    return {
        "roles": {"relayer": {"replicas": relayers, "expose": expose}},
        "canary": {"enabled": False},
        "tree": {"domain": DOMAIN, "ttl": {"root": ttl}, "publish": [{"embedded": embedded}]},
    }


async def propagated(user: FleetUser, relayers: int) -> dict[str, Any]:
    def holds(status: dict[str, Any]) -> bool:
        records = (status.get("tree") or {}).get("records")
        return is_true("TreePropagated")(status) and records == relayers

    return await user.until(holds, f"propagated with {relayers} records")


async def service(user: FleetUser) -> dict[str, Any]:
    return await user.client.get(SERVICE, user.namespace, f"{user.name}-dns")


async def test_what_strangers_do_to_the_servers_is_undone_and_the_manifest_says_how_to_reach_them(
    cluster: Cluster,
    definition: str,
    client: KubeClient,
    namespace: str,
    image: str,
    tmp_path: Path,
) -> None:
    user = FleetUser(client, namespace, "mended")
    name = f"{user.name}-dns"
    async with operator(tmp_path, cluster.kubeconfig, namespace, image):
        await user.apply(**spec(1))
        status = await propagated(user, 1)
        url = status["tree"]["url"]
        place = ((await service(user))["spec"]["clusterIP"], 53)

        async def root() -> str | None:
            found = await client.find(CONFIG_MAP, namespace, name)
            return (found or {}).get("data", {}).get("root")

        async def served() -> ReadTree | None:
            try:
                return await TreeReader(AnyServer(place)).read(url)
            except TreeError:
                return None

        before = await root()

        async def restored() -> bool:
            seen = await served()
            return await root() == before and seen is not None and seen.problems == ()

        async with walking(url, place):
            await client.delete(CONFIG_MAP, namespace, name)
            await eventually(restored)
            await client.patch(CONFIG_MAP, namespace, name, {"data": {"root": "nonsense"}})
            await eventually(restored)
        assert (await propagated(user, 1))["tree"]["seq"] == status["tree"]["seq"]

        await user.apply(**spec(1, service={"type": "NodePort"}))

        async def is_node_port() -> bool:
            return bool((await service(user))["spec"]["type"] == "NodePort")

        await eventually(is_node_port)
        await propagated(user, 1)
        await user.delete()
        await user.until_gone()


async def test_an_operator_that_was_killed_goes_on_with_the_tree_where_it_was(
    cluster: Cluster,
    definition: str,
    client: KubeClient,
    namespace: str,
    image: str,
    tmp_path: Path,
) -> None:
    user = FleetUser(client, namespace, "killed")
    async with operator(tmp_path, cluster.kubeconfig, namespace, image):
        await user.apply(**spec(1))
        status = await propagated(user, 1)
    url, seq = status["tree"]["url"], status["tree"]["seq"]
    place = ((await service(user))["spec"]["clusterIP"], 53)
    async with walking(url, place) as walks:
        await user.apply(**spec(2, ttl="5s"))
        async with operator(tmp_path, cluster.kubeconfig, namespace, image):
            grown = await propagated(user, 2)
            assert grown["tree"]["seq"] > seq
            assert grown["tree"]["url"] == url
    assert walks.seqs[0] == seq
    assert walks.seqs[-1] == grown["tree"]["seq"]
    async with operator(tmp_path, cluster.kubeconfig, namespace, image):
        await user.apply(**spec(1, ttl="5s"))
        (record,) = [row["enr"] for row in grown["members"] if row["name"] == "relayer-1"]
        await outlives_its_record(user, TreeReader(AnyServer(place)), record)
        await user.delete()
        await user.until_gone()


async def outlives_its_record(user: FleetUser, reader: TreeReader, record: str) -> None:
    """Look on as a relayer goes: it is found by no reader any more, and then it ends."""
    url = (await user.status())["tree"]["url"]
    forgotten = False
    while True:
        pod = await user.client.find(POD, user.namespace, f"{user.name}-relayer-1-0")
        if pod is None or "deletionTimestamp" in pod["metadata"]:
            assert forgotten, "readers found it until its end"
            break
        found = {str(node) for node in (await reader.read(url)).nodes}
        forgotten = record not in found
        await asyncio.sleep(0.2)
