"""Tests of the Kubernetes world on a cluster with nodes, found by KUBECONFIG.

A kubeconfig may lead anywhere, so a cluster that does not carry the mark of one that was made for
tests is refused, unless the user says CLUSTER=current. `IMAGE` names the project's image there.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE
from support.kube_stage import Stage

_KIND = os.environ.get("CLUSTER", "")
collect_ignore_glob = [] if _KIND else ["*"]
MARK = "statusfleet-test-cluster"
IMAGE = os.environ.get("IMAGE", "statusfleet.test/statusfleet:test")
CRD = Path(__file__).parents[3] / "crds/statusfleets.statusfleet.io.yaml"

MakeStage = Callable[..., Any]


@pytest.fixture
async def client() -> AsyncIterator[KubeClient]:
    """A client of the cluster, that counts what it writes."""
    if "KUBECONFIG" not in os.environ:
        pytest.skip("needs KUBECONFIG, of a cluster made for tests")
    async with await KubeClient.connect() as client:
        marked = await client.find(CONFIG_MAP, "kube-public", MARK)
        if marked is None and _KIND != "current":
            pytest.exit("KUBECONFIG leads to a cluster that was not made for tests", returncode=2)
        yield client


@pytest.fixture
async def namespace(client: KubeClient) -> AsyncIterator[str]:
    """A namespace of the test's own, for restricted pods only."""
    name = f"test-world-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": name, "labels": labels}
    await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    yield name
    await client.delete(NAMESPACE, "", name)


@pytest.fixture
async def stage(client: KubeClient, namespace: str) -> AsyncIterator[Stage]:
    """A fleet's world on that cluster."""
    definition = yaml.safe_load(CRD.read_text())
    name = definition["metadata"]["name"]
    if await client.find(CUSTOM_RESOURCE_DEFINITION, "", name) is None:
        await client.apply(definition)
    async with Stage(namespace, IMAGE) as stage:
        yield stage
