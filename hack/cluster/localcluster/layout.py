"""Where everything is: folders, addresses, versions. Change a version here, and it is built anew.

The control plane has a network namespace of its own, so that each node can lose its power:

    172.30.0.1    this machine, on the bridge sfleet0
    172.30.0.2    node-1, pods in 10.244.1.0/24
    172.30.0.3    node-2, pods in 10.244.2.0/24 …
    172.30.0.100  control: etcd, API server, controller manager, scheduler
    10.96.0.0/16  services, by the kube-proxy of each node

Of IPv6 the same in local addresses (RFC 4193), as `fd73:7461:7475::2`: `CLUSTER_IP_FAMILY` says
which families a cluster has when it is started.

`CLUSTER_NUMBER` names one of several clusters, 0 to 9: it is added to 0 in sfleet0 and 172.30.0, to
244 and to 96, and is the first digit of the fourth group. They share the cache.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from dataclasses import dataclass
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
CONTROL_NETNS = f"{PREFIX}control"
MAX_NODES = 5


def node_name(number: int) -> str:
    """Return a node's name; nodes count from 1."""
    return f"node-{number}"


def node_netns(number: int) -> str:
    """Return the name of a node's network namespace."""
    return f"{PREFIX}{node_name(number)}"


def node_home(number: int) -> Path:
    """Return the folder of what a node keeps when its power is gone."""
    return STATE / node_name(number)


def node_socket(number: int) -> Path:
    """Return the socket of a node's containerd."""
    return RUN / node_name(number) / "containerd.sock"


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Family:
    """The addresses of one IP family. `share` is the length of the prefix of one node's pods."""

    nodes: Network
    pods: Network
    services: Network
    share: int

    @property
    def ip(self) -> tuple[str, str]:
        """The command `ip` for this family."""
        return "ip", f"-{self.nodes.version}"

    @property
    def iptables(self) -> str:
        """The firewall's command for this family."""
        return "iptables" if self.nodes.version == 4 else "ip6tables"

    @property
    def forwarding(self) -> str:
        """The kernel's setting by which a node forwards between its pods and the others."""
        name = "ipv4.ip_forward" if self.nodes.version == 4 else "ipv6.conf.all.forwarding"
        return f"net.{name}"

    @property
    def everywhere(self) -> str:
        """Where a default route leads to."""
        return "0.0.0.0/0" if self.nodes.version == 4 else "::/0"

    @property
    def gateway(self) -> str:
        """The address of this machine."""
        return str(self.nodes[1])

    @property
    def control(self) -> str:
        """The address of the control plane."""
        return str(self.nodes[100])

    @property
    def api_service(self) -> str:
        """The address of the Service that leads to the API server."""
        return str(self.services[1])

    @property
    def dns_service(self) -> str:
        """The address of cluster DNS."""
        return str(self.services[10])

    def node(self, number: int) -> str:
        """Return the address of a node."""
        return str(self.nodes[number + 1])

    def node_pods(self, number: int) -> str:
        """Return the network of a node's pods."""
        size = 1 << (self.pods.max_prefixlen - self.share)
        return f"{self.pods[number * size]}/{self.share}"


def _family(nodes: str, pods: str, services: str, share: int) -> Family:
    return Family(*map(ipaddress.ip_network, (nodes, pods, services)), share)


_IPV4 = _family(
    f"172.30.{NUMBER}.0/24", f"10.{244 + NUMBER}.0.0/16", f"10.{96 + NUMBER}.0.0/16", share=24
)
_IPV6 = _family(
    *(f"fd73:7461:7475:{NUMBER}{rest}" for rest in ("000::/64", "100::/56", "200::/112")), share=64
)
FAMILIES = {"dual": (_IPV4, _IPV6), "ipv4": (_IPV4,), "ipv6": (_IPV6,)}
_ASKED_FAMILY = os.environ.get("CLUSTER_IP_FAMILY") or ""
if _ASKED_FAMILY and _ASKED_FAMILY not in FAMILIES:
    sys.exit(f"cluster: CLUSTER_IP_FAMILY must be {', '.join(FAMILIES)}, not {_ASKED_FAMILY!r}")
_FAMILY_FILE = STATE / "ip-family"
_NO_IPV6 = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")


def choose_families() -> None:
    """Settle the families of a cluster that is about to start: those asked for, else all."""
    has_ipv6 = _NO_IPV6.exists() and _NO_IPV6.read_text().strip() == "0"
    _FAMILY_FILE.write_text(_ASKED_FAMILY or ("dual" if has_ipv6 else "ipv4"))


def families() -> tuple[Family, ...]:
    """Return the families of the cluster that is there; the first is its Services' own."""
    return FAMILIES[_FAMILY_FILE.read_text()]


def api_server() -> str:
    """Return the URL of the API server."""
    host = families()[0].control
    return f"https://[{host}]:6443" if ":" in host else f"https://{host}:6443"
