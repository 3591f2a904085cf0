"""The Kubernetes world and whole fleets, on a cluster with nodes."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from statusfleet.kube import KubeClient
from support.cluster import Cluster
from support.kube_stage import Stage
from support.operator_process import FleetUser, operator


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own, for restricted pods only."""
    with cluster.namespace("test-world") as name:
        yield name


@pytest.fixture
async def stage(
    cluster: Cluster, definition: str, namespace: str, image: str
) -> AsyncIterator[Stage]:
    """A fleet's world on that cluster."""
    async with Stage(cluster.kubeconfig, namespace, image) as stage:
        yield stage


@pytest.fixture
async def user(
    cluster: Cluster,
    definition: str,
    client: KubeClient,
    namespace: str,
    image: str,
    tmp_path: Path,
) -> AsyncIterator[FleetUser]:
    """Somebody with kubectl in a namespace where an operator works."""
    name = f"fleet-{secrets.token_hex(2)}"
    async with operator(tmp_path, cluster.kubeconfig, namespace, image):
        user = FleetUser(client, namespace, name)
        yield user
        await user.delete()
        await user.until_gone()
