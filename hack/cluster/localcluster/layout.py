"""Where everything is: folders, addresses, versions. Change a version here, and it is built anew.

The control plane has a network namespace of its own, so that each node can lose its power:

    172.30.0.1    this machine, on the bridge sfleet0
    172.30.0.2    node-1, pods in 10.244.1.0/24
    172.30.0.3    node-2, pods in 10.244.2.0/24 …
    172.30.0.100  control: etcd, API server, controller manager, scheduler
    10.96.0.0/16  services, by the kube-proxy of each node

`CLUSTER_NUMBER` names one of several clusters, 0 to 9: it is added to 0 in sfleet0 and 172.30.0, to
244 and to 96. They share the cache.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
ADDONS = HERE / "addons.yaml"
GO_MODULE = HERE / "programs"

_DIGIT = os.environ.get("CLUSTER_NUMBER") or "0"
if _DIGIT not in "0123456789" or len(_DIGIT) > 1:
    sys.exit(f"cluster: CLUSTER_NUMBER must be a digit, not {_DIGIT!r}")
NUMBER = int(_DIGIT)
_NAME = f"statusfleet-cluster-{NUMBER}" if NUMBER else "statusfleet-cluster"

CACHE = Path(os.environ.get("CLUSTER_CACHE") or Path.home() / ".cache/statusfleet-cluster")
CACHE_LOCK = CACHE / "lock"
BIN = CACHE / "bin"
STATE = Path(f"/var/lib/{_NAME}")
PKI = STATE / "pki"
LOGS = STATE / "log"
KUBECONFIG = STATE / "admin.conf"
# Sockets and container state: short paths, gone after a reboot.
RUN = Path(f"/run/{_NAME}")
LOCK = Path(f"/run/{_NAME}.lock")

KUBERNETES = "v1.34.4"
TOOLS = (
    "github.com/coredns/coredns@v1.15.0",
    "github.com/rancher/local-path-provisioner@v0.0.30",
    "helm.sh/helm/v3/cmd/helm@v3.22.0",
    "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0",
)
DEBIAN_PACKAGES = (
    *("containerd", "runc", "containernetworking-plugins", "iptables", "conntrack", "openssl"),
    *("busybox-static", "buildah", "debootstrap", "gcc", "libc6-dev"),
)
DEBIAN_SUITE = "bookworm"
BASE_IMAGE = "docker.io/library/python:3.11-slim-bookworm"
PAUSE_IMAGE = "statusfleet.test/pause:1"
BUSYBOX_IMAGE = "docker.io/library/busybox:1"
COREDNS_IMAGE = "statusfleet.test/coredns:1"

BRIDGE = f"sfleet{NUMBER}"
# What network namespaces, cables and control groups are called begins with this.
PREFIX = f"{BRIDGE}-"
_NODES, _PODS, _SERVICES = f"172.30.{NUMBER}", f"10.{244 + NUMBER}", f"10.{96 + NUMBER}"
NODES_NETWORK = f"{_NODES}.0/24"
PODS_NETWORK = f"{_PODS}.0.0/16"
SERVICES_NETWORK = f"{_SERVICES}.0.0/16"
GATEWAY = f"{_NODES}.1"
CONTROL_IP = f"{_NODES}.100"
API_SERVER = f"https://{CONTROL_IP}:6443"
API_SERVICE_IP = f"{_SERVICES}.0.1"
DNS_SERVICE_IP = f"{_SERVICES}.0.10"
CONTROL_NETNS = f"{PREFIX}control"
MAX_NODES = 5


def node_name(number: int) -> str:
    """Return a node's name; nodes count from 1."""
    return f"node-{number}"


def node_ip(number: int) -> str:
    """Return the address of a node."""
    return f"{_NODES}.{number + 1}"


def node_pods(number: int) -> str:
    """Return the network of a node's pods."""
    return f"{_PODS}.{number}.0/24"


def node_netns(number: int) -> str:
    """Return the name of a node's network namespace."""
    return f"{PREFIX}{node_name(number)}"


def node_home(number: int) -> Path:
    """Return the folder of what a node keeps when its power is gone."""
    return STATE / node_name(number)


def node_socket(number: int) -> Path:
    """Return the socket of a node's containerd."""
    return RUN / node_name(number) / "containerd.sock"
