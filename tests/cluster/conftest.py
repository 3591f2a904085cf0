"""Tests on a real cluster: `make test-cluster CLUSTER=local`; without it none is collected.

They stand on `support/cluster.py`, which says what each value of `CLUSTER` means.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cluster import ROOT, Cluster, build_image, open_cluster

_KIND = os.environ.get("CLUSTER", "")
collect_ignore_glob = [] if _KIND else ["*"]

# The first test of a machine waits for programs and images to be built.
_TIMEOUT_SECONDS = 1800
CRD = ROOT / "crds/statusfleets.statusfleet.io.yaml"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(_TIMEOUT_SECONDS))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster that `CLUSTER` names."""
    with open_cluster(_KIND) as opened:
        yield opened


@pytest.fixture(scope="session")
def definition(cluster: Cluster) -> str:
    """The definition of StatusFleet, installed; what kubectl said about it, with warnings."""
    # Other tests apply the same file through the operator's own client, so fields may be theirs.
    answer = cluster.ask("apply", "--server-side", "--force-conflicts", f"--filename={CRD}")
    assert answer.code == 0, answer.err
    cluster.wait("condition=Established", "crd/statusfleets.statusfleet.io")
    return answer.out + answer.err


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the module's own, for restricted pods only."""
    with cluster.namespace("test") as name:
        yield name


@pytest.fixture(scope="session")
def image(cluster: Cluster) -> str:
    """The project's image, on every node."""
    return build_image(cluster)
