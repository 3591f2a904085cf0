"""The cluster's life: up, and down with nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

from localcluster import cgroups, control, daemons, keys, network, node, programs
from localcluster.layout import KUBECONFIG, LOGS, RUN, STATE, choose_families
from localcluster.shell import kubectl, run, succeeds, wait_until

# By this object a test knows a cluster that it may do anything to.
MARK = ("create", "configmap", "statusfleet-test-cluster", "--namespace=kube-public")
_CONTAINER_LOGS = Path("/var/log/containers")


def up(nodes: int) -> None:
    """Start a fresh cluster in place of one that may be there."""
    programs.build()
    down()
    for folder in (LOGS, STATE / "volumes", RUN):
        folder.mkdir(parents=True)
    choose_families()
    keys.make_all(nodes)
    network.make(nodes)
    control.start()
    for number in range(1, nodes + 1):
        node.start(number)
    wait_until("nodes", lambda: _ready_nodes() == nodes)
    kubectl(*MARK, "--from-literal=made-by=hack/cluster")
    control.start_addons(nodes)
    print(KUBECONFIG)


def down() -> None:
    """Stop everything and remove what was made; without a cluster, do nothing."""
    for number in network.node_numbers():
        node.kill(number)
    for name in daemons.known():
        daemons.end(name, signal.SIGKILL)
    _unmount()
    network.remove()
    cgroups.remove_all()
    if _CONTAINER_LOGS.exists():  # links that every kubelet makes, wherever its logs are
        for link in _CONTAINER_LOGS.iterdir():
            if link.is_symlink() and str(link.readlink()).startswith(f"{STATE}/"):
                link.unlink()
    for folder in (STATE, RUN):
        if folder.exists():
            shutil.rmtree(folder)


def _ready_nodes() -> int:
    condition = '{range .items[*]}{.status.conditions[?(@.type=="Ready")].status} {end}'
    return kubectl("get", "nodes", f"-o=jsonpath={condition}").split().count("True")


def _unmount() -> None:
    """Unmount volumes, root file systems and network namespaces of pods."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    ours = [mount for mount in mounts if mount.startswith((f"{STATE}/", f"{RUN}/"))]
    for mount in reversed(ours):
        if os.path.ismount(mount) or succeeds("mountpoint", "-q", mount):
            run("umount", "--lazy", mount)
