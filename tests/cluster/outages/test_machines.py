"""The local cluster's own promises: machines that fail as real ones do, writes that are told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.cluster import Cluster, eventually
from support.cluster_nodes import RESTRICTED_CONTAINER, RESTRICTED_POD

NODE = "node-2"


pytestmark = pytest.mark.usefixtures("alone")


def test_a_node_loses_its_power_and_comes_back_with_its_pods(
    cluster: Cluster, namespace: str, image: str
) -> None:
    container = {
        "name": "sleeper",
        "image": image,
        "command": ["sleep", "3600"],
        "securityContext": RESTRICTED_CONTAINER,
    }
    spec = {"nodeName": NODE, "securityContext": RESTRICTED_POD, "containers": [container]}
    spec["terminationGracePeriodSeconds"] = 0
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sleeper"}, "spec": spec}
    cluster.create(pod, namespace=namespace)
    cluster.wait("condition=Ready", "pod/sleeper", namespace=namespace)
    in_pod = ("exec", "sleeper", f"--namespace={namespace}", "--request-timeout=5s", "--", "true")
    assert cluster.ask(*in_pod).code == 0

    cluster.machine("stop-node", NODE.removeprefix("node-"))
    try:
        assert cluster.ask(*in_pod).code != 0
        cluster.wait("condition=Ready=Unknown", f"node/{NODE}")
    finally:
        cluster.machine("start-node", NODE.removeprefix("node-"))

    cluster.wait("condition=Ready", f"node/{NODE}")

    def runs_again() -> bool:
        (status,) = cluster.get("pod", "sleeper", f"--namespace={namespace}")["status"][
            "containerStatuses"
        ]
        return bool(status["ready"] and status["restartCount"] == 1)

    eventually(runs_again)


def test_the_api_server_dies_and_comes_back_with_everything(
    cluster: Cluster, namespace: str
) -> None:
    cluster.create(_config_map("kept"), namespace=namespace)
    cluster.machine("restart", "kube-apiserver")
    eventually(lambda: cluster.ask("get", "--raw=/readyz").code == 0)
    assert cluster.get("configmap", "kept", f"--namespace={namespace}")["data"] == {"a": "b"}


def test_every_write_is_told_in_the_audit_log(cluster: Cluster, namespace: str) -> None:
    cluster.create(_config_map("written"), namespace=namespace)
    cluster.get("configmap", "written", f"--namespace={namespace}")
    told = [
        (event["verb"], event["user"]["username"])
        for event in map(json.loads, cluster.audit_log.read_text().splitlines())
        if event.get("objectRef", {}).get("namespace") == namespace
        and event["objectRef"].get("name") == "written"
    ]
    assert told == [("create", "admin")]


def _config_map(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"a": "b"},
    }
