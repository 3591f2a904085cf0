"""The chart on a cluster with nodes; the definition belongs to all tests, so it is not its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support import kube_api
from support.cluster import Cluster


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own, for restricted pods only."""
    with cluster.namespace("test-chart") as name:
        yield name


@pytest.fixture
def helm() -> str:
    """The path of helm."""
    found = kube_api.program("helm")
    if found is None:
        pytest.skip("needs helm")
    return found
