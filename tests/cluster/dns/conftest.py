"""A fleet's own DNS servers as pods; the fleet has no members and no operator looks after it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import STATUS_FLEET
from statusfleet.worlds.kubernetes.names import Owner
from support.cluster import Cluster
from support.dns_pods import FLEET, Servers


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own, for restricted pods only."""
    with cluster.namespace("test-dns") as name:
        yield name


@pytest.fixture
async def servers(
    cluster: Cluster, definition: str, client: KubeClient, namespace: str, image: str
) -> AsyncIterator[Servers]:
    """The servers, with a first tree of 16 nodes."""
    body = {
        "apiVersion": STATUS_FLEET.api_version,
        "kind": STATUS_FLEET.kind,
        "metadata": {"namespace": namespace, "name": FLEET},
        # Whatever operator works on this cluster leaves it alone.
        "spec": {"paused": True, "roles": {"relayer": {"replicas": 1}}},
    }
    made = await client.create(body)
    owner = Owner(namespace, FLEET, made["metadata"]["uid"])
    servers = Servers(client, namespace, image, owner)
    await servers.apply()
    await servers.publish(range(16))
    await servers.until_both_are_ready()
    yield servers
    await client.delete(STATUS_FLEET, namespace, FLEET)
