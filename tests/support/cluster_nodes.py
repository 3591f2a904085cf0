"""`statusd` in plain pods, as a restricted namespace wants them, and calls of its JSON-RPC."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from statusnode.crypto.keys import PrivateKey
from statusnode.records.enode import Enode
from support.cluster import Cluster

RESTRICTED_POD = {
    "runAsNonRoot": True,
    "fsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
RESTRICTED_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_PORT = 30303
_METRICS_PORT = 9305
_RPC_PORT = 8545
# Asks the RPC of the pod it runs in: it listens on the pod's loopback only.
_CALLER = f"""
import sys, urllib.request
request = urllib.request.Request(
    "http://127.0.0.1:{_RPC_PORT}/", sys.stdin.buffer.read(), {{"Content-Type": "application/json"}}
)
sys.stdout.write(urllib.request.urlopen(request, timeout=30).read().decode())
"""

Json = dict[str, Any]


@dataclass(frozen=True)
class NodePod:
    """A node in a pod of its own."""

    cluster: Cluster
    namespace: str
    name: str

    def call(self, method: str, *params: Any) -> Any:
        """Call a method of the node's JSON-RPC and return the result."""
        request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        answer = json.loads(self.python(_CALLER, text=request))
        assert "error" not in answer, answer
        return answer["result"]

    def python(self, program: str, *, text: str | None = None) -> str:
        """Run a Python program in the pod and return its output."""
        command = ("exec", "-i", self.name, f"--namespace={self.namespace}", "--", "python", "-c")
        return self.cluster.kubectl(*command, program, text=text or "")

    def get(self) -> Json:
        """Return the pod as it is now."""
        return self.cluster.get("pod", self.name, f"--namespace={self.namespace}")


@contextmanager
def node_pods(
    cluster: Cluster, namespace: str, image: str, nodes: dict[str, Json]
) -> Iterator[dict[str, NodePod]]:
    """Run nodes that are one another's fleet peers, each on another node of the cluster, and ready.

    `nodes` gives each a name and the settings of its WakuConfig.
    """
    keys = {name: PrivateKey.generate() for name in nodes}
    enodes = {
        name: str(Enode(key.public_key, f"{name}.{namespace}.svc.cluster.local", _PORT, 0))
        for name, key in keys.items()
    }
    documents: list[Json] = []
    for name, waku in nodes.items():
        peers = [enode for other, enode in enodes.items() if other != name]
        documents += [
            _secret(name, keys[name]),
            _config(name, waku, peers),
            _service(name),
            _pod(name, image),
        ]
    cluster.create(*documents, namespace=namespace)
    pods = [f"pod/{name}" for name in nodes]
    try:
        cluster.wait("condition=Ready", *pods, namespace=namespace)
        yield {name: NodePod(cluster, namespace, name) for name in nodes}
    finally:
        cluster.kubectl("delete", *pods, f"--namespace={namespace}", "--wait=false")


def _secret(name: str, key: PrivateKey) -> Json:
    content = {"secret.json": json.dumps({"NodeKey": key.data.hex()})}
    return {**_object("v1", "Secret", name), "stringData": content}


def _config(name: str, waku: Json, peers: list[str]) -> Json:
    config = {
        "ListenAddr": f":{_PORT}",
        "EnableNTPSync": False,
        "HTTPEnabled": True,
        "HTTPHost": "127.0.0.1",
        "HTTPPort": _RPC_PORT,
        "APIModules": "admin,waku",
        "ClusterConfig": {"Enabled": True},
        "WakuConfig": {"Enabled": True, "FullNode": True, **waku},
        "StatusFleet": {"FleetPeers": peers},
    }
    return {**_object("v1", "ConfigMap", name), "data": {"config.json": json.dumps(config)}}


def _service(name: str) -> Json:
    spec = {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,  # they wait for one another before they are ready
        "selector": {"node": name},
        "ports": [{"name": "p2p", "port": _PORT}],
    }
    return {**_object("v1", "Service", name), "spec": spec}


def _pod(name: str, image: str) -> Json:
    def probe(path: str) -> Json:
        return {"httpGet": {"path": path, "port": _METRICS_PORT}, "periodSeconds": 1}

    apart = {
        "labelSelector": {"matchLabels": {"app": "statusd"}},
        "topologyKey": "kubernetes.io/hostname",
    }
    container = {
        "name": "statusd",
        "image": image,
        "command": ["statusd", "-fleet", "", "-dir", "/data", "-metrics"],
        "args": ["-c", "/etc/statusd/config.json", "-c", "/etc/statusd/secret.json"],
        "securityContext": RESTRICTED_CONTAINER,
        "readinessProbe": probe("/ready"),
        "livenessProbe": {**probe("/health"), "failureThreshold": 30},
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": "config", "mountPath": "/etc/statusd", "readOnly": True},
        ],
    }
    config = {"sources": [{"configMap": {"name": name}}, {"secret": {"name": name}}]}
    pod = _object("v1", "Pod", name)
    pod["metadata"]["labels"] = {"app": "statusd", "node": name}
    pod["spec"] = {
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
        "securityContext": RESTRICTED_POD,
        "affinity": {
            "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [apart]}
        },
        "containers": [container],
        "volumes": [{"name": "data", "emptyDir": {}}, {"name": "config", "projected": config}],
    }
    return pod


def _object(version: str, kind: str, name: str) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}
