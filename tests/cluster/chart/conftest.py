"""Tests of the chart on a cluster with nodes, found by KUBECONFIG; `IMAGE` is the project's there.

A cluster that does not carry the mark of one that was made for tests is refused, unless the user
says CLUSTER=current. The definition of StatusFleet belongs to all tests, so it is not the chart's.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE
from support import kube_api

_KIND = os.environ.get("CLUSTER", "")
collect_ignore_glob = [] if _KIND else ["*"]
MARK = "statusfleet-test-cluster"
CRD = Path(__file__).parents[3] / "crds/statusfleets.statusfleet.io.yaml"


@pytest.fixture
async def client() -> AsyncIterator[KubeClient]:
    """A client of the cluster, which knows what a StatusFleet is."""
    if "KUBECONFIG" not in os.environ:
        pytest.skip("needs KUBECONFIG, of a cluster made for tests")
    async with await KubeClient.connect() as client:
        marked = await client.find(CONFIG_MAP, "kube-public", MARK)
        if marked is None and _KIND != "current":
            pytest.exit("KUBECONFIG leads to a cluster that was not made for tests", returncode=2)
        definition = yaml.safe_load(CRD.read_text())
        if (
            await client.find(CUSTOM_RESOURCE_DEFINITION, "", definition["metadata"]["name"])
            is None
        ):
            await client.apply(definition)
        yield client


@pytest.fixture
async def namespace(client: KubeClient) -> AsyncIterator[str]:
    """A namespace of the test's own, for restricted pods only."""
    name = f"test-chart-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": name, "labels": labels}
    await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    yield name
    await client.delete(NAMESPACE, "", name)


@pytest.fixture
def helm() -> str:
    """The path of helm."""
    found = kube_api.program("helm")
    if found is None:
        pytest.skip("needs helm")
    return found
