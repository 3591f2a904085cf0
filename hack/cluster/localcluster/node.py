"""A node: containerd, kubelet and kube-proxy in a network namespace, and how its power goes.

Source: Kubernetes documentation (KubeletConfiguration, KubeProxyConfiguration v1.34), containerd's
CRI plugin configuration, CNI plugins bridge, host-local and portmap.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from localcluster import cgroups, daemons, network
from localcluster.images import import_on
from localcluster.layout import (
    BIN,
    CACHE,
    PAUSE_IMAGE,
    PKI,
    STATE,
    families,
    node_home,
    node_name,
    node_netns,
    node_socket,
)
from localcluster.shell import ClusterError, succeeds, wait_until

_IMAGES = ("pause", "busybox", "coredns")


def start(number: int) -> None:
    """Give a node power, for the first time or again.

    Raises:
        ClusterError: there is no such node.
    """
    if number not in network.node_numbers():
        raise ClusterError(f"there is no {node_name(number)}")
    node, home, netns = node_name(number), node_home(number), node_netns(number)
    home.mkdir(exist_ok=True)
    cgroups.make(node)
    network.plug(number, is_in=True)
    _write_cni(number)
    (home / "containerd.toml").write_text(_containerd(number))
    daemons.spawn(f"{node}-containerd", "containerd", f"--config={home}/containerd.toml",
                  "--log-level=warn", netns=netns)  # fmt: skip
    socket = node_socket(number)
    wait_until("containerd", lambda: succeeds("ctr", "-a", socket, "version"))
    for name in _IMAGES:
        import_on(number, CACHE / f"{name}.tar")
    daemons.spawn(
        f"{node}-kubelet",
        BIN / "kubelet",
        f"--config={_write(home / 'kubelet.json', _kubelet(number))}",
        f"--kubeconfig={STATE}/{node}.conf",
        f"--hostname-override={node}",
        f"--node-ip={','.join(family.node(number) for family in families())}",
        f"--root-dir={home}/kubelet",
        netns=netns,
    )
    proxy = _write(home / "proxy.json", _kube_proxy(number))
    daemons.spawn(f"{node}-kube-proxy", BIN / "kube-proxy", f"--config={proxy}", netns=netns)


def stop(number: int) -> None:
    """Take a node's power away: its cable is dead, its daemons and all its pods end at once.

    Raises:
        ClusterError: there is no such node.
    """
    if number not in network.node_numbers():
        raise ClusterError(f"there is no {node_name(number)}")
    network.plug(number, is_in=False)
    kill(number)


def kill(number: int) -> None:
    """Kill a node's daemons and all its pods."""
    node = node_name(number)
    for part in ("kubelet", "kube-proxy", "containerd"):
        daemons.end(f"{node}-{part}", signal.SIGKILL)
    for pid in _shims(number):
        os.kill(pid, signal.SIGKILL)
    cgroups.kill_all(node)
    node_socket(number).unlink(missing_ok=True)


def _shims(number: int) -> list[int]:
    """Return the process ids of what stands between a node's containerd and its containers."""
    socket = str(node_socket(number)).encode()
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                command = (process / "cmdline").read_bytes()
            except OSError:  # it ended meanwhile
                continue
            if b"containerd-shim" in command and socket in command.split(b"\0"):
                found.append(int(process.name))
    return found


def _write_cni(number: int) -> None:
    home = node_home(number)
    folder = home / "cni"
    folder.mkdir(exist_ok=True)
    addresses = {
        "type": "host-local",
        "dataDir": str(home / "ipam"),
        "ranges": [[{"subnet": family.node_pods(number)}] for family in families()],
        "routes": [{"dst": family.everywhere} for family in families()],
    }
    # No masquerade: pods, nodes and this machine see each other's own addresses.
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": addresses,
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    _write(
        folder / "10-pods.conflist",
        {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, ports]},
    )


def _containerd(number: int) -> str:
    home, socket = node_home(number), node_socket(number)
    # restrict_oom_score_adj: a machine may lack CAP_SYS_RESOURCE.
    # netns_mounts_under_state_dir: so that each network namespace of a pod is known as ours.
    return f"""version = 2
root = "{home}/containerd"
state = "{socket.parent}/containerd"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{home}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
"""


def _kubelet(number: int) -> dict[str, object]:
    node = node_name(number)
    resolv = node_home(number) / "resolv.conf"
    resolv.write_text("")  # nothing outside of the cluster can be asked
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "::",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{PKI}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{PKI}/{node}-server.crt",
        "tlsPrivateKeyFile": f"{PKI}/{node}-server.key",
        "containerRuntimeEndpoint": f"unix://{node_socket(number)}",
        "podLogsDir": str(node_home(number) / "pod-logs"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroups.name_of(node),
        "cgroupsPerQOS": True,
        "clusterDNS": [families()[0].dns_service],
        "clusterDomain": "cluster.local",
        "resolvConf": str(resolv),
        "failSwapOn": False,
        "nodeStatusUpdateFrequency": "3s",
        # This machine's disk is not the cluster's to tidy: no image is removed, no pod evicted.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
    }


def _kube_proxy(number: int) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "hostnameOverride": node_name(number),
        # Who comes from outside of it is masqueraded, since answers must come back this way.
        "clusterCIDR": ",".join(str(family.pods) for family in families()),
        "clientConnection": {"kubeconfig": str(STATE / "kube-proxy.conf")},
        "conntrack": {"maxPerCore": 0},
    }


def _write(path: Path, content: dict[str, object]) -> Path:
    path.write_text(json.dumps(content, indent=1))
    return path
