"""The cluster's certificates and kubeconfigs, made by openssl for one year and thrown away with it.

Source: Kubernetes documentation, "PKI certificates and requirements".
"""

from __future__ import annotations

import base64
import json

from localcluster.layout import (
    KUBECONFIG,
    PKI,
    STATE,
    api_server,
    families,
    node_name,
)
from localcluster.shell import run

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_CLIENT = "extendedKeyUsage=clientAuth"
_CONTROL_PLANE = ("kube-controller-manager", "kube-scheduler", "kube-proxy")


def make_all(nodes: int) -> None:
    """Make the authority, every certificate, and a kubeconfig for each client."""
    PKI.mkdir(parents=True)
    PKI.chmod(0o700)
    run("openssl", "req", "-x509", *_NEW_KEY, "-keyout", PKI / "ca.key", "-out", PKI / "ca.crt",
        "-days", "365", "-subj", "/CN=statusfleet-local")  # fmt: skip
    run("openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", PKI / "sa.key")
    run("openssl", "ec", "-in", PKI / "sa.key", "-pubout", "-out", PKI / "sa.pub")
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"]
    addresses = [ip for family in families() for ip in (family.control, family.api_service)]
    addresses.append("127.0.0.1")
    _issue("apiserver", "/CN=kube-apiserver", _alternatives(names, addresses))
    _issue("kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client", _CLIENT)
    _issue("aggregator", "/CN=front-proxy-client", _CLIENT)
    _issue("admin", "/O=system:masters/CN=admin", _CLIENT)
    _write_kubeconfig("admin")
    for part in _CONTROL_PLANE:
        _issue(part, f"/CN=system:{part}", _CLIENT)
        _write_kubeconfig(part)
    for number in range(1, nodes + 1):
        node = node_name(number)
        _issue(node, f"/O=system:nodes/CN=system:node:{node}", _CLIENT)
        own = [family.node(number) for family in families()]
        _issue(f"{node}-server", f"/CN={node}", _alternatives([node], own))
        _write_kubeconfig(node)


def _alternatives(names: list[str], addresses: list[str]) -> str:
    both = [f"DNS:{name}" for name in names] + [f"IP:{address}" for address in addresses]
    return f"subjectAltName={','.join(both)}"


def _issue(name: str, subject: str, extensions: str) -> None:
    request = run("openssl", "req", *_NEW_KEY, "-keyout", PKI / f"{name}.key", "-subj", subject)
    (PKI / f"{name}.csr").write_text(request)
    run("openssl", "x509", "-req", "-in", PKI / f"{name}.csr", "-days", "365",
        "-CA", PKI / "ca.crt", "-CAkey", PKI / "ca.key", "-CAcreateserial",
        "-out", PKI / f"{name}.crt", "-extfile", "/dev/stdin", text=extensions)  # fmt: skip


def _write_kubeconfig(name: str) -> None:
    def data(file: str) -> str:
        return base64.b64encode((PKI / file).read_bytes()).decode()

    cluster = {"server": api_server(), "certificate-authority-data": data("ca.crt")}
    user = {
        "client-certificate-data": data(f"{name}.crt"),
        "client-key-data": data(f"{name}.key"),
    }
    path = KUBECONFIG if name == "admin" else STATE / f"{name}.conf"
    path.touch(mode=0o600)
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "statusfleet-local", "cluster": cluster}],
                "users": [{"name": name, "user": user}],
                "contexts": [
                    {
                        "name": "statusfleet-local",
                        "context": {"cluster": "statusfleet-local", "user": name},
                    }
                ],
                "current-context": "statusfleet-local",
            },
            indent=1,
        )
    )
