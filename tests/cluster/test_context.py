"""Which clusters tests touch: those that were made for them."""

from __future__ import annotations

import pytest

from support.cluster import Cluster, ForeignClusterError, refuse_foreign


def test_a_cluster_without_the_mark_is_refused(cluster: Cluster) -> None:
    with pytest.raises(ForeignClusterError, match="CLUSTER=current"):
        refuse_foreign(cluster, mark="a-mark-that-nobody-makes")


def test_the_cluster_has_two_nodes_and_its_own_names(cluster: Cluster) -> None:
    nodes = cluster.get("nodes")["items"]
    assert len(nodes) >= 2
    cluster.kubectl("get", "storageclass")
