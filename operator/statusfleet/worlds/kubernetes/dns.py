"""The fleet's own DNS servers: their Deployment, their Service, and what lets them read. Pure.

They may read ConfigMaps of their namespace, where the tree is kept, and nothing else: no Secret,
and nothing may be written. They may not list them either: shards of a large tree have names that
nobody knows beforehand, so a server may get any that it can name. They hold no key and no volume,
so any of them may go at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from statusfleet.api.spec import Image
from statusfleet.api.tree import DNSService
from statusfleet.kube.kinds import (
    DEPLOYMENT,
    NETWORK_POLICY,
    POD_DISRUPTION_BUDGET,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    JsonDict,
    Kind,
)
from statusfleet.kube.names import FLEET_LABEL, PART_LABEL, dns_object, fleet_labels
from statusfleet.worlds.kubernetes.image import image_of
from statusfleet.worlds.kubernetes.names import ACCOUNT, Owner
from statusfleet.worlds.kubernetes.pod import (
    RESTRICTED_CONTAINER,
    RESTRICTED_POD,
    SOON_ELSEWHERE,
)

DNS: Final = "dns"
REPLICAS: Final = 2
_PORT: Final = 5353  # 53 needs a right that a restricted pod has not
_HEALTH_PORT: Final = 8081
_PROTOCOLS: Final = ("UDP", "TCP")


def dns_account(owner: Owner) -> JsonDict:
    """Return the ServiceAccount under which the servers read."""
    return {**_body(owner, SERVICE_ACCOUNT), "automountServiceAccountToken": False}


def dns_objects(
    owner: Owner, account_uid: str, image: Image, own_image: str, wish: DNSService | None = None
) -> list[JsonDict]:
    """Return what else the servers are made of, in the order in which it is needed.

    `account_uid` is the UID of their ServiceAccount. Where that is deleted and made anew, so are
    the pods: a token is bound to the account that it was given for, and kept for most of an hour.
    """
    return [
        _role(owner),
        _role_binding(owner),
        _network_policy(owner),
        _budget(owner),
        _service(owner, wish or DNSService()),
        _deployment(owner, account_uid, image, own_image),
    ]


def dns_names(owner: Owner) -> list[tuple[Kind, str]]:
    """Return what has to go where the fleet serves no tree itself."""
    kinds = (
        *(DEPLOYMENT, SERVICE, POD_DISRUPTION_BUDGET),
        *(NETWORK_POLICY, ROLE_BINDING, ROLE, SERVICE_ACCOUNT),
    )
    return [(kind, dns_object(owner.name)) for kind in kinds]


def _body(owner: Owner, kind: Kind, annotations: Mapping[str, str] | None = None) -> JsonDict:
    labels = fleet_labels(owner.name, part=DNS)
    return owner.body(kind, dns_object(owner.name), labels, annotations=annotations)


def _selector(owner: Owner) -> dict[str, str]:
    return {FLEET_LABEL: owner.name, PART_LABEL: DNS}


def _role(owner: Owner) -> JsonDict:
    return {
        **_body(owner, ROLE),
        "rules": [
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
            {
                "apiGroups": [""],
                "resources": ["configmaps"],
                "verbs": ["list", "watch"],
                "resourceNames": [dns_object(owner.name)],
            },
        ],
    }


def _role_binding(owner: Owner) -> JsonDict:
    name = dns_object(owner.name)
    subject = {"kind": "ServiceAccount", "name": name, "namespace": owner.namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    return {**_body(owner, ROLE_BINDING), "roleRef": reference, "subjects": [subject]}


def _network_policy(owner: Owner) -> JsonDict:
    ports = [{"protocol": protocol, "port": _PORT} for protocol in _PROTOCOLS]
    return {
        **_body(owner, NETWORK_POLICY),
        "spec": {
            "podSelector": {"matchLabels": _selector(owner)},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": ports}],
        },
    }


def _budget(owner: Owner) -> JsonDict:
    spec = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": _selector(owner)},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return {**_body(owner, POD_DISRUPTION_BUDGET), "spec": spec}


def _service(owner: Owner, wish: DNSService) -> JsonDict:
    ports = [
        {"name": f"dns-{p.lower()}", "protocol": p, "port": 53, "targetPort": _PORT}
        for p in _PROTOCOLS
    ]
    spec: JsonDict = {
        "type": wish.type,
        "ipFamilyPolicy": "PreferDualStack",
        "selector": _selector(owner),
        "ports": ports,
    }
    if wish.type == "LoadBalancer":
        # A balancer asks which nodes have a server. So clients keep their addresses, by which
        # answers over UDP are limited.
        spec["externalTrafficPolicy"] = "Local"
    return {**_body(owner, SERVICE, wish.annotations), "spec": spec}


def _deployment(owner: Owner, account_uid: str, image: Image, own_image: str) -> JsonDict:
    metadata = {
        "annotations": {ACCOUNT: account_uid},
        "labels": fleet_labels(owner.name, part=DNS),
    }
    apart = {
        "weight": 100,
        "podAffinityTerm": {
            "topologyKey": "kubernetes.io/hostname",
            "labelSelector": {"matchLabels": _selector(owner)},
        },
    }
    spec: JsonDict = {
        "affinity": {
            "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [apart]}
        },
        "automountServiceAccountToken": True,
        "containers": [_container(owner, image, own_image)],
        "enableServiceLinks": False,
        "securityContext": RESTRICTED_POD,
        "serviceAccountName": dns_object(owner.name),
        "terminationGracePeriodSeconds": 15,
        "tolerations": SOON_ELSEWHERE,
    }
    if image.pull_secrets:
        spec["imagePullSecrets"] = [{"name": secret} for secret in image.pull_secrets]
    return {
        **_body(owner, DEPLOYMENT),
        "spec": {
            "replicas": REPLICAS,
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": _selector(owner)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": {"metadata": metadata, "spec": spec},
        },
    }


def _container(owner: Owner, image: Image, own_image: str) -> JsonDict:
    return {
        "name": DNS,
        "image": image_of(image, own_image),
        "imagePullPolicy": image.pull_policy,
        "command": ["statusfleet", "dns"],
        "args": [
            *("--namespace", owner.namespace, "--fleet", owner.name),
            *("--listen", "$(POD_IP)", "--port", str(_PORT), "--health-port", str(_HEALTH_PORT)),
        ],
        "env": [
            {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
            for name, path in (("POD_IP", "status.podIP"), ("POD_IPS", "status.podIPs"))
        ],
        "ports": [
            *(
                {"name": f"dns-{p.lower()}", "protocol": p, "containerPort": _PORT}
                for p in _PROTOCOLS
            ),
            {"name": "health", "protocol": "TCP", "containerPort": _HEALTH_PORT},
        ],
        "livenessProbe": _probe("/health", period=10, failures=6),
        "readinessProbe": _probe("/ready", period=1, failures=2),
        "resources": {
            "requests": {"cpu": "20m", "memory": "96Mi"},
            "limits": {"memory": "256Mi"},
        },
        "securityContext": RESTRICTED_CONTAINER,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _probe(path: str, *, period: int, failures: int) -> JsonDict:
    return {
        "httpGet": {"path": path, "port": "health"},
        "periodSeconds": period,
        "failureThreshold": failures,
        "timeoutSeconds": 5,
    }
