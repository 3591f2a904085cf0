"""A Kubernetes without machines: a real API server and real controllers, pretended nodes and pods.

etcd, kube-apiserver, kube-controller-manager and kube-scheduler are the real ones. KWOK plays the
kubelets: it says of each pod that it runs and is ready, and of each claim that it is bound. What it
plays is told by files of its own Go module, read from Go's module cache.

Services get addresses of 127.96.0.0/12: what dials a member meets a closed port of this machine's
loopback, and no packet leaves it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from audit import POLICY

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests"))  # the API server of its own is the one of the tests

from support import kube_api  # noqa: E402 - found by the path above

KWOK = "sigs.k8s.io/kwok"
KWOK_VERSION = "v0.8.0"
BIN = ROOT / ".build" / "bin"
CRD = ROOT / "crds" / "statusfleets.statusfleet.io.yaml"
NEEDED = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
_STAGES = (
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-delete.yaml",
    "node/fast/node-initialize.yaml",
    "node/heartbeat/node-heartbeat.yaml",
    "volume/fast/pvc-provision.yaml",
    "volume/fast/pvc-delete.yaml",
    "volume/fast/pv-bind.yaml",
    "volume/fast/pv-delete.yaml",
)
_STORAGE_CLASS = "volume/fast/storage-class.yaml"
_CONTROLLERS = (
    "disruption-controller",
    "persistentvolume-binder-controller",
    "serviceaccount-controller",
    "statefulset-controller",
)
_PLAYED = {"kwok.x-k8s.io/node": "fake"}
_FAST = ("--kube-api-qps=2000", "--kube-api-burst=4000")


class BenchError(Exception):
    """A measurement that cannot be made, or is worth nothing."""


@dataclass(frozen=True, slots=True)
class Pretended:
    """The running cluster: kubeconfigs of the bench and of the operator, and the audit log."""

    kubeconfig: str
    operators: str
    audit: Path


def install_kwok() -> Path:
    """Return KWOK's program, built now if it is not there.

    Raises:
        BenchError: there is no Go, or it cannot be built.
    """
    path = BIN / f"kwok-{KWOK_VERSION}"
    if path.exists():
        return path
    BIN.mkdir(parents=True, exist_ok=True)
    print(f"building KWOK {KWOK_VERSION} (once)", file=sys.stderr)
    environment = {**os.environ, "GOBIN": str(BIN)}
    command = ["go", "install", f"{KWOK}/cmd/kwok@{KWOK_VERSION}"]
    try:
        subprocess.run(command, check=True, env=environment)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BenchError(f"KWOK cannot be built: {error}") from error
    return (BIN / "kwok").rename(path)


def stages() -> Path:
    """Return the folder of KWOK's stages in Go's module cache; raises BenchError."""
    asked = subprocess.run(
        ["go", "env", "GOMODCACHE"], check=True, capture_output=True, text=True
    ).stdout.strip()
    folder = Path(asked) / f"{KWOK}@{KWOK_VERSION}" / "kustomize" / "stage"
    if not folder.is_dir():
        asked = f"go mod download {KWOK}@{KWOK_VERSION}"
        raise BenchError(f"{folder} is not there: {asked}")
    return folder


@contextlib.contextmanager
def running(folder: Path, *, nodes: int, namespaces: Sequence[str]) -> Iterator[Pretended]:
    """Run the cluster for as long as the context lasts, with its logs and state in `folder`.

    Raises:
        BenchError: a program is missing or does not start.
    """
    missing = [name for name in NEEDED if kube_api.program(name) is None]
    if missing:
        raise BenchError(f"missing: {', '.join(missing)}; hack/cluster/cluster build makes them")
    kwok, folder_of_stages = install_kwok(), stages()
    policy, log = folder / "policy.json", folder / "audit.log"
    policy.write_text(json.dumps(POLICY))
    arguments = (
        f"--audit-policy-file={policy}",
        f"--audit-log-path={log}",
        "--service-cluster-ip-range=127.96.0.0/12",
        # Nobody here takes a new node's taint away again.
        "--disable-admission-plugins=TaintNodesByCondition",
    )
    # What is written here in minutes is more than etcd takes by default.
    with kube_api.running(folder, arguments, ("--quota-backend-bytes=8589934592",)) as server:
        kubeconfig = server.kubeconfig()
        storage = yaml.safe_load((folder_of_stages / _STORAGE_CLASS).read_text())
        objects = [yaml.safe_load(CRD.read_text()), storage]
        objects += [_node(number) for number in range(nodes)]
        objects += [_named("Namespace", name) for name in namespaces]
        _apply(kubeconfig, objects)
        commands = {
            "kube-controller-manager": _controller_manager(kubeconfig),
            "kube-scheduler": _scheduler(kubeconfig, folder),
            "kwok": _kwok(kwok, kubeconfig, folder_of_stages),
        }
        with contextlib.ExitStack() as stack:
            for name, command in commands.items():
                stack.enter_context(_process(command, folder / f"{name}.log"))
            operators = _trusting(server.kubeconfig("operator"), folder)
            yield Pretended(kubeconfig, operators, log)


def _trusting(kubeconfig: str, folder: Path) -> str:
    """Have a kubeconfig name the server's authority, as a pod's account does; return its path.

    Where none is named, each client holds all authorities of the system, a megabyte of them.
    """
    path = Path(kubeconfig)
    document = json.loads(path.read_text())
    cluster = document["clusters"][0]["cluster"]
    del cluster["insecure-skip-tls-verify"]
    cluster["certificate-authority"] = str(folder / "certificates" / "apiserver.crt")
    path.write_text(json.dumps(document))
    return kubeconfig


def _controller_manager(kubeconfig: str) -> list[str]:
    return [
        str(kube_api.program("kube-controller-manager")),
        f"--kubeconfig={kubeconfig}",
        f"--controllers={','.join(_CONTROLLERS)}",
        "--concurrent-statefulset-syncs=16",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        "--secure-port=0",
        *_FAST,
    ]


def _scheduler(kubeconfig: str, folder: Path) -> list[str]:
    config = folder / "scheduler.json"
    settings = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": kubeconfig, "qps": 2000, "burst": 4000},
        "leaderElection": {"leaderElect": False},
    }
    config.write_text(json.dumps(settings))
    return [str(kube_api.program("kube-scheduler")), f"--config={config}", "--secure-port=0"]


def _kwok(program: Path, kubeconfig: str, folder: Path) -> list[str]:
    files = [argument for stage in _STAGES for argument in ("-c", str(folder / stage))]
    selector = ",".join(f"{key}={value}" for key, value in _PLAYED.items())
    return [
        str(program),
        f"--kubeconfig={kubeconfig}",
        f"--manage-nodes-with-annotation-selector={selector}",
        *files,
    ]


def _node(number: int) -> dict[str, Any]:
    name = f"pretended-{number}"
    body = _named("Node", name)
    body["metadata"] |= {"annotations": _PLAYED, "labels": {"kubernetes.io/hostname": name}}
    return body


def _named(kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}


def _apply(kubeconfig: str, objects: Sequence[dict[str, Any]]) -> None:
    kubectl = kube_api.program("kubectl")
    command = [str(kubectl), f"--kubeconfig={kubeconfig}", "apply", "--server-side", "-f", "-"]
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    done = subprocess.run(command, input=body, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(done.stderr)


@contextlib.contextmanager
def _process(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=log.parent)
    try:
        yield
        if process.poll() is not None:
            raise BenchError(f"{command[0]} ended: {log.read_text(errors='replace')[-2000:]}")
    finally:
        process.kill()
        process.wait()
