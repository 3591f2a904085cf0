"""Builds and fetches what the cluster runs: minutes once, then a look at a stamp.

Kubernetes and etcd come from their Go modules as `../programs/go.sum` pins them; Kubernetes' own
staging modules are replaced there by their published versions. The rest comes from Debian.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from localcluster import archive
from localcluster.layout import (
    BIN,
    BUSYBOX_IMAGE,
    CACHE,
    CACHE_LOCK,
    COREDNS_IMAGE,
    DEBIAN_PACKAGES,
    GO_MODULE,
    KUBERNETES,
    PAUSE_IMAGE,
    TOOLS,
)
from localcluster.shell import ClusterError, exclusive, run, succeeds

_KUBERNETES = (
    *("kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    *("kubelet", "kube-proxy", "kubectl"),
)
_STAMP = CACHE / "stamp"
_LEAN = ("-trimpath", "-ldflags=-s -w")
_ETCD = "go.etcd.io/etcd/server/v3"
# What holds the namespaces of a pod and reaps its orphans; it does nothing else.
_PAUSE = r"""
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void leave(int number) { (void)number; _exit(0); }
static void reap(int number) { (void)number; while (waitpid(-1, 0, WNOHANG) > 0) {} }
int main(void) {
    signal(SIGINT, leave);
    signal(SIGTERM, leave);
    signal(SIGCHLD, reap);
    for (;;) pause();
}
"""


def build() -> None:
    """Bring everything that is missing.

    Raises:
        ClusterError: this is no Debian, Go is missing, or something does not build.
    """
    with exclusive(CACHE_LOCK):
        _build()


def _build() -> None:
    _install_packages()
    stamp = _stamp()
    if _STAMP.exists() and _STAMP.read_text() == stamp:
        return
    if not shutil.which("go"):
        raise ClusterError("needs Go: https://go.dev/dl")
    BIN.mkdir(parents=True, exist_ok=True)
    print(f"cluster: building Kubernetes {KUBERNETES}; this takes minutes, once", flush=True)
    _build_kubernetes()
    for tool in TOOLS:
        print(f"cluster: building {tool}", flush=True)
        _go("install", *_LEAN, tool, cwd=Path("/"))
    _make_images()
    _STAMP.write_text(stamp)


def _stamp() -> str:
    pinned = (GO_MODULE / "go.sum").read_bytes() + repr((KUBERNETES, TOOLS, _PAUSE)).encode()
    return hashlib.sha256(pinned).hexdigest()


def _install_packages() -> None:
    if not shutil.which("dpkg"):
        raise ClusterError("needs Debian, for its containerd, runc, CNI plugins and buildah")
    missing = [name for name in DEBIAN_PACKAGES if not succeeds("dpkg", "-s", name)]
    if missing:
        print(f"cluster: installing {' '.join(missing)}", flush=True)
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-qq", env=quiet)
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, env=quiet)


def _build_kubernetes() -> None:
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    facts = {"gitVersion": KUBERNETES, "gitMajor": major, "gitMinor": minor}
    flags = " ".join(f"-X k8s.io/component-base/version.{k}={v}" for k, v in facts.items())
    programs = [f"k8s.io/kubernetes/cmd/{name}" for name in _KUBERNETES]
    _go("build", "-trimpath", f"-ldflags=-s -w {flags}", "-o", f"{BIN}/", *programs, cwd=GO_MODULE)
    _go("build", *_LEAN, "-o", str(BIN / "etcd"), _ETCD, cwd=GO_MODULE)


def _go(*args: str, cwd: Path) -> None:
    run("go", *args, cwd=cwd, env={"CGO_ENABLED": "0", "GOBIN": str(BIN), "GOFLAGS": ""})


def _make_images() -> None:
    """Make the three images that every node needs before it can pull anything."""
    with tempfile.TemporaryDirectory() as scratch:
        pause, busybox, coredns = (Path(scratch, name) for name in ("pause", "busybox", "coredns"))
        pause.mkdir()
        run("gcc", "-static", "-Os", "-x", "c", "-", "-o", pause / "pause", text=_PAUSE)
        archive.write(PAUSE_IMAGE, CACHE / "pause.tar", pause, {"Entrypoint": ["/pause"]})
        coredns.mkdir()
        shutil.copy(BIN / "coredns", coredns)
        archive.write(COREDNS_IMAGE, CACHE / "coredns.tar", coredns, {"Entrypoint": ["/coredns"]})
        _lay_out_busybox(busybox)
        shell = {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]}
        archive.write(BUSYBOX_IMAGE, CACHE / "busybox.tar", busybox, shell)


def _lay_out_busybox(root: Path) -> None:
    (root / "bin").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for applet in run("/bin/busybox", "--list").split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
