"""The control plane: etcd, API server, controller manager, scheduler, and the volume provisioner.

Every write to the API is a line of `audit.log`, with its user, field manager and time.
Source: Kubernetes documentation, command line reference of each program, v1.34.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from localcluster import daemons
from localcluster.layout import (
    ADDONS,
    BIN,
    BUSYBOX_IMAGE,
    CONTROL_NETNS,
    KUBECONFIG,
    LOGS,
    PKI,
    STATE,
    families,
)
from localcluster.shell import kubectl, succeeds, wait_until

AUDIT_LOG = LOGS / "audit.log"
_ETCD = "http://127.0.0.1:2379"
_REQUESTS_PER_SECOND = 300  # of controllers, so that a bench measures the operator and not them


def start() -> None:
    """Start the control plane; the API answers afterwards."""
    _start_etcd()
    _start_api_server()
    wait_until("kube-apiserver", is_ready)
    # Only now: a controller manager that finds no API at its start does without some controllers.
    _start_controller_manager()
    _start_scheduler()


def is_ready() -> bool:
    """Tell whether the API server is ready."""
    ask = ("--request-timeout=5s", "get", "--raw=/readyz")
    return succeeds(BIN / "kubectl", f"--kubeconfig={KUBECONFIG}", *ask)


def start_addons(nodes: int) -> None:
    """Start cluster DNS and the default storage class; DNS answers afterwards."""
    text = ADDONS.read_text().replace("DNS_SERVICE_IP", families()[0].dns_service)
    kubectl("apply", "-f", "-", text=text)
    # Each on another node, so that names resolve while one has no power.
    copies = min(nodes, 2)
    kubectl("-n", "kube-system", "scale", "deployment/coredns", f"--replicas={copies}")
    paths = {"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [str(STATE / "volumes")]}
    config = _write("local-path.json", {"nodePathMap": [paths]})
    _spawn(
        "local-path-provisioner",
        *("start", f"--config={config}", f"--kubeconfig={KUBECONFIG}"),
        *("--namespace=local-path-storage", "--configmap-name=local-path-config"),
        f"--helper-image={BUSYBOX_IMAGE}",
    )
    kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s")


def _start_etcd() -> None:
    _spawn(
        "etcd",
        f"--data-dir={STATE}/etcd",
        *(f"--listen-client-urls={_ETCD}", f"--advertise-client-urls={_ETCD}"),
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",  # nobody keeps anything here
        "--log-level=warn",
    )


def _start_api_server() -> None:
    none = {"level": "None", "verbs": ["get", "list", "watch"]}
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [none, {"level": "Metadata"}],
    }
    _spawn(
        "kube-apiserver",
        f"--etcd-servers={_ETCD}",
        f"--advertise-address={families()[0].control}",
        "--bind-address=::",  # both families, as far as there are
        f"--service-cluster-ip-range={','.join(str(family.services) for family in families())}",
        "--service-node-port-range=20000-32767",
        f"--client-ca-file={PKI}/ca.crt",
        *(f"--tls-cert-file={PKI}/apiserver.crt", f"--tls-private-key-file={PKI}/apiserver.key"),
        f"--service-account-key-file={PKI}/sa.pub",
        f"--service-account-signing-key-file={PKI}/sa.key",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--kubelet-client-certificate={PKI}/kubelet-client.crt",
        f"--kubelet-client-key={PKI}/kubelet-client.key",
        f"--kubelet-certificate-authority={PKI}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
        f"--requestheader-client-ca-file={PKI}/ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={PKI}/aggregator.crt",
        f"--proxy-client-key-file={PKI}/aggregator.key",
        f"--audit-policy-file={_write('audit-policy.json', policy)}",
        f"--audit-log-path={AUDIT_LOG}",
    )


def _start_controller_manager() -> None:
    _spawn(
        "kube-controller-manager",
        *_identity("kube-controller-manager", "kubeconfig"),
        "--leader-elect=false",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={PKI}/sa.key",
        f"--root-ca-file={PKI}/ca.crt",
        f"--cluster-signing-cert-file={PKI}/ca.crt",
        f"--cluster-signing-key-file={PKI}/ca.key",
        "--node-monitor-grace-period=12s",
        f"--kube-api-qps={_REQUESTS_PER_SECOND}",
        f"--kube-api-burst={2 * _REQUESTS_PER_SECOND}",
        "--concurrent-statefulset-syncs=20",
    )


def _start_scheduler() -> None:
    config = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {
            "kubeconfig": str(STATE / "kube-scheduler.conf"),
            "qps": _REQUESTS_PER_SECOND,
            "burst": 2 * _REQUESTS_PER_SECOND,
        },
    }
    _spawn("kube-scheduler", f"--config={_write('scheduler.json', config)}",
           *_identity("kube-scheduler"))  # fmt: skip


def _identity(part: str, *more: str) -> list[str]:
    names = ("authentication-kubeconfig", "authorization-kubeconfig", *more)
    return [f"--{name}={STATE / part}.conf" for name in names]


def _write(name: str, content: Mapping[str, object]) -> str:
    path = STATE / name
    path.write_text(json.dumps(content, indent=1))
    return str(path)


def _spawn(name: str, *flags: str) -> None:
    daemons.spawn(name, BIN / name, *flags, netns=CONTROL_NETNS)
