"""What goes wrong around a fleet, and what its users see of it, on a cluster with nodes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from statusfleet.kube import KubeClient
from support.cluster import Cluster
from support.operator_process import FleetUser


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own, for restricted pods only."""
    with cluster.namespace("test-outage") as name:
        yield name


@pytest.fixture
def user(definition: str, client: KubeClient, namespace: str) -> FleetUser:
    """Somebody with kubectl in a namespace where no operator works yet."""
    return FleetUser(client, namespace, f"fleet-{secrets.token_hex(2)}")
