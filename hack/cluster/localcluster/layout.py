"""Where everything is: folders, addresses, versions. Change a version here, and it is built anew.

The control plane has a network namespace of its own, so that each node can lose its power:

    172.30.0.1    this machine, on the bridge sfleet0
    172.30.0.2    node-1, pods in 10.244.1.0/24
    172.30.0.3    node-2, pods in 10.244.2.0/24 …
    172.30.0.100  control: etcd, API server, controller manager, scheduler
    10.96.0.0/16  services, by the kube-proxy of each node
"""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
ADDONS = HERE / "addons.yaml"
GO_MODULE = HERE / "programs"

CACHE = Path(os.environ.get("CLUSTER_CACHE") or Path.home() / ".cache/statusfleet-cluster")
BIN = CACHE / "bin"
STATE = Path("/var/lib/statusfleet-cluster")
PKI = STATE / "pki"
LOGS = STATE / "log"
KUBECONFIG = STATE / "admin.conf"
# Sockets and container state: short paths, gone after a reboot.
RUN = Path("/run/statusfleet-cluster")

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

BRIDGE = "sfleet0"
NODES_NETWORK = "172.30.0.0/24"
PODS_NETWORK = "10.244.0.0/16"
SERVICES_NETWORK = "10.96.0.0/16"
GATEWAY = "172.30.0.1"
CONTROL_IP = "172.30.0.100"
API_SERVER = f"https://{CONTROL_IP}:6443"
API_SERVICE_IP = "10.96.0.1"
DNS_SERVICE_IP = "10.96.0.10"
CONTROL_NETNS = "sfleet-control"
MAX_NODES = 5


def node_name(number: int) -> str:
    """Return a node's name; nodes count from 1."""
    return f"node-{number}"


def node_ip(number: int) -> str:
    """Return the address of a node."""
    return f"172.30.0.{number + 1}"


def node_pods(number: int) -> str:
    """Return the network of a node's pods."""
    return f"10.244.{number}.0/24"


def node_netns(number: int) -> str:
    """Return the name of a node's network namespace."""
    return f"sfleet-{node_name(number)}"


def node_home(number: int) -> Path:
    """Return the folder of what a node keeps when its power is gone."""
    return STATE / node_name(number)


def node_socket(number: int) -> Path:
    """Return the socket of a node's containerd."""
    return RUN / node_name(number) / "containerd.sock"
