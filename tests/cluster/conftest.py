"""Tests on a real cluster: `make test-cluster CLUSTER=local`; without it none is collected.

They stand on `support/cluster.py`, which says what each value of `CLUSTER` means.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from statusfleet.kube import KubeClient
from support.cluster import Cluster, build_image, open_cluster
from support.definition import define

_KIND = os.environ.get("CLUSTER", "")
collect_ignore_glob = [] if _KIND else ["*"]

# The first test of a machine waits for programs and images to be built.
_TIMEOUT_SECONDS = 1800

# Tests that need no pods, on an API server of their own.
_API = Path(__file__).with_name("api")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(_TIMEOUT_SECONDS))
            if "alone" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.alone)
    if _KIND:
        # Workers take whole files in this order: the quick come last, so that all end together.
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: (item.path not in slow, _API in item.path.parents))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster that `CLUSTER` names."""
    with open_cluster(_KIND) as opened:
        yield opened


@pytest.fixture
def alone(cluster: Cluster) -> Iterator[None]:
    """Nobody else uses the cluster meanwhile; see the marker of the same name."""
    with cluster.alone():
        yield


@pytest.fixture(scope="session")
def definition(cluster: Cluster) -> str:
    """The definition of StatusFleet, installed; what kubectl said about it, with warnings."""
    return define(cluster.kubectl_program, cluster.kubeconfig)


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[KubeClient]:
    """A client of the cluster that may do everything."""
    async with await KubeClient.connect(cluster.kubeconfig) as client:
        yield client


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the module's own, for restricted pods only."""
    with cluster.namespace("test") as name:
        yield name


@pytest.fixture(scope="session")
def image(
    cluster: Cluster, worker_id: str, testrun_uid: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The project's image, on every node; workers of one run build it once."""
    if worker_id == "master":
        return build_image(cluster)
    built = tmp_path_factory.getbasetemp().parent / f"image-{testrun_uid}"
    with built.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        if not (name := file.read()):
            name = build_image(cluster)
            file.write(name)
    return name
