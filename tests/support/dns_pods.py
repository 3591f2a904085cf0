"""A fleet's own DNS servers as pods of a cluster, and who publishes to them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from statusfleet.api.spec import Image
from statusfleet.api.tree import DNSService
from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import ENDPOINT_SLICE, POD, SERVICE
from statusfleet.publishers.cluster_dns import ClusterDnsSink
from statusfleet.publishers.objects import Owner as SinkOwner
from statusfleet.reconcile.publishing import TreeKeeper
from statusfleet.reconcile.showing import TreeState
from statusfleet.store.kubernetes import KubernetesStore
from statusfleet.worlds.kubernetes.dns import dns_account, dns_objects
from statusfleet.worlds.kubernetes.names import Owner
from support.killed_publisher import DESIRED
from support.records import TREE_KEY, vector_node

FLEET = "eth"
PATIENCE_SECONDS = 180.0


@dataclass
class Servers:
    """The pods and the Service of one fleet's DNS servers, and who publishes to them."""

    client: KubeClient
    namespace: str
    image: str
    owner: Owner
    clock: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        store = KubernetesStore(self.client, self.namespace, FLEET)
        sink = ClusterDnsSink(self.client, SinkOwner(self.namespace, FLEET))
        self._keeper = TreeKeeper(store, (sink,), lambda: self.clock)

    async def apply(self, service: DNSService | None = None) -> None:
        """Apply the servers' objects, as the operator does."""
        account = await self.client.apply(dns_account(self.owner))
        uid = account["metadata"]["uid"]
        for body in dns_objects(self.owner, uid, Image(), self.image, service):
            await self.client.apply(body)

    async def publish(self, nodes: range) -> TreeState:
        """Publish a tree of these nodes, and read it back from each server."""
        records = [vector_node(number) for number in nodes]
        await self._keeper.recall()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                state = await self._keeper.publish(DESIRED, records, TREE_KEY)
                if state.published and state.propagated:
                    return state
                await asyncio.sleep(0.05)

    async def pods(self) -> list[dict[str, Any]]:
        """Return the pods that are there to stay."""
        labels = {"statusfleet.io/fleet": FLEET, "statusfleet.io/part": "dns"}
        found = await self.client.list(POD, self.namespace, labels=labels)
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    async def service(self) -> dict[str, Any]:
        return await self.client.get(SERVICE, self.namespace, f"{FLEET}-dns")

    async def address(self) -> tuple[str, int]:
        """Where the Service answers within the cluster's network."""
        return (await self.service())["spec"]["clusterIP"], 53

    async def ready(self) -> set[str]:
        """Return the names of the pods to which the Service sends queries."""
        labels = {"kubernetes.io/service-name": f"{FLEET}-dns"}
        slices = await self.client.list(ENDPOINT_SLICE, self.namespace, labels=labels)
        return {
            endpoint["targetRef"]["name"]
            for item in slices
            for endpoint in item.get("endpoints") or ()
            if endpoint["conditions"].get("ready")
        }

    async def until_both_are_ready(self, *, without: frozenset[str] = frozenset()) -> None:
        """Wait for two servers, neither of them one of `without`."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                ready = await self.ready()
                if len(ready) == 2 and not ready & without:
                    return
                await asyncio.sleep(0.2)
