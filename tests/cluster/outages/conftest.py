"""What goes wrong around a fleet, and what its users see of it, on a cluster with nodes."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator

import pytest

from statusfleet.kube import KubeClient
from support import kube_api
from support.cluster import Cluster
from support.installed_chart import Place
from support.operator_process import FleetUser
from support.whole_fleet import let_go


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own, for restricted pods only."""
    with cluster.namespace("test-outage") as name:
        yield name


@pytest.fixture
async def user(definition: str, client: KubeClient, namespace: str) -> AsyncIterator[FleetUser]:
    """Somebody with kubectl in a namespace where no operator works yet."""
    yield FleetUser(client, namespace, f"fleet-{secrets.token_hex(2)}")
    await let_go(client, namespace)


@pytest.fixture
def place(cluster: Cluster, definition: str, namespace: str, image: str) -> Place:
    """The namespace, as one where the chart will be installed."""
    program = kube_api.program("helm")
    if program is None:
        pytest.skip("needs helm")
    return Place(program, cluster.kubeconfig, namespace, image)
