"""Tests on a real API server that is ours alone, without kubelets: client, Lease and memory."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest

from statusfleet.kube import KubeClient
from support import kube_api
from support.definition import define
from support.kube_api import ApiServer

collect_ignore_glob = [] if os.environ.get("CLUSTER") else ["*"]


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A kube-apiserver over an etcd, on the loopback."""
    missing = [
        name for name in ("etcd", "kube-apiserver", "kubectl") if kube_api.program(name) is None
    ]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}: make cluster")
    with kube_api.running(tmp_path_factory.mktemp("api")) as server:
        yield server


@pytest.fixture(scope="session")
def definition(api_server: ApiServer) -> None:
    """The definition of StatusFleet, installed."""
    kubectl = kube_api.program("kubectl")
    assert kubectl is not None
    define(kubectl, api_server.kubeconfig())


@pytest.fixture
async def client(api_server: ApiServer) -> AsyncIterator[KubeClient]:
    """A client that may do everything."""
    async with await KubeClient.connect(api_server.kubeconfig()) as client:
        yield client


@pytest.fixture
async def namespace(client: KubeClient) -> str:
    """A namespace of the test's own; it goes with the server."""
    name = f"test-{secrets.token_hex(4)}"
    await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name
