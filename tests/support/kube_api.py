"""A Kubernetes API server of our own on the loopback: etcd and kube-apiserver, nothing else.

It stores, validates, merges and refuses as every API server does; no controller and no kubelet
acts on what is stored. The programs are those that the cluster is made of.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support.ports import free_port

_BUILT = Path("~/.cache/statusfleet-cluster/bin").expanduser()
_START_SECONDS = 90.0
_USERS = {
    "admin": "system:masters",
    "operator": "system:masters",
    "nobody": "",
    "leader": "",
    "tenant": "",
}
"""Users by name, each known by the token `<name>-token`, with their group."""


@dataclass
class ApiServer:
    """A server with its state in `folder`, and a kubeconfig of each user."""

    url: str
    folder: Path
    arguments: list[str]
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """End it as a power loss does; what it has answered is in etcd."""
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        """Start it again, and wait until it is ready."""
        self.process = _spawn("kube-apiserver", self.arguments, self.folder)
        _wait(self.url, self.process, self.folder)

    def kubeconfig(self, user: str = "admin", namespace: str = "default") -> str:
        """Write a kubeconfig and return its path."""
        path = self.folder / f"{user}-{namespace}.conf"
        cluster = {"server": self.url, "insecure-skip-tls-verify": True}
        context = {"cluster": "test", "user": user, "namespace": namespace}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": f"{user}-token"}}],
            "contexts": [{"name": "test", "context": context}],
        }
        path.write_text(json.dumps(document))
        return str(path)


def program(name: str) -> str | None:
    """Return the path of a program of the cluster, None where there is none."""
    return shutil.which(name, path=f"{_BUILT}{os.pathsep}{os.environ.get('PATH', '')}")


@contextlib.contextmanager
def running(
    folder: Path, arguments: Sequence[str] = (), etcd_arguments: Sequence[str] = ()
) -> Iterator[ApiServer]:
    """Run a server whose state is kept in `folder` for as long as it runs.

    `arguments` are further ones of kube-apiserver; one given twice counts as it is given last.
    """
    etcd_port, peer_port, port = (free_port() for _ in range(3))
    etcd_url = f"http://127.0.0.1:{etcd_port}"
    peer_url = f"http://127.0.0.1:{peer_port}"
    etcd = [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={etcd_url}",
        f"--advertise-client-urls={etcd_url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster=default={peer_url}",
        "--unsafe-no-fsync",
        "--log-level=error",
        *etcd_arguments,
    ]
    store = _spawn("etcd", etcd, folder)
    server = None
    try:
        every = [*_arguments(folder, etcd_url, port), *arguments]
        process = _spawn("kube-apiserver", every, folder)
        server = ApiServer(f"https://127.0.0.1:{port}", folder, every, process)
        _wait(server.url, process, folder)
        yield server
    finally:
        if server is not None:
            server.kill()
        store.kill()
        store.wait()


def _arguments(folder: Path, etcd_url: str, port: int) -> list[str]:
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    (folder / "accounts.key").write_bytes(key)
    users = "".join(f'{name}-token,{name},{name},"{group}"\n' for name, group in _USERS.items())
    (folder / "tokens.csv").write_text(users)
    return [
        f"--etcd-servers={etcd_url}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--service-account-issuer=https://127.0.0.1",
        f"--service-account-key-file={folder / 'accounts.key'}",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        # Pods are only stored here; without a controller their account would never come.
        "--disable-admission-plugins=ServiceAccount",
        "--endpoint-reconciler-type=none",
        "--v=0",
    ]


def _spawn(name: str, arguments: list[str], folder: Path) -> subprocess.Popen[bytes]:
    path = program(name)
    assert path is not None
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen([path, *arguments], stdout=log, stderr=log, cwd=folder)


def _wait(url: str, server: subprocess.Popen[bytes], folder: Path) -> None:
    trust = ssl._create_unverified_context()
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            break
        request = urllib.request.Request(
            f"{url}/readyz", headers={"Authorization": "Bearer admin-token"}
        )
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(request, timeout=5, context=trust),
        ):
            return
        time.sleep(0.2)
    log = (folder / "kube-apiserver.log").read_text(errors="replace")
    raise RuntimeError(f"kube-apiserver does not start: {log[-2000:]}")
