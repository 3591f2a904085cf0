"""What a member's pod looks like, apart from whose it is: the shape that all of a role share. Pure.

It meets the restricted pod security standard, and what the user's template adds never replaces
what the member needs to run. Changing anything here changes what a newer operator would run, which
every fleet is told of (`UpdatePending`) and none is restarted for: see `pin`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from statusfleet.api.fleet import GROUP
from statusfleet.api.model import Model
from statusfleet.api.roles import RoleName, RoleSpec
from statusfleet.api.spec import Image
from statusfleet.kube.kinds import JsonDict
from statusfleet.kube.names import FLEET_LABEL, ROLE_LABEL
from statusfleet.plan.types import merge
from statusfleet.worlds.kubernetes.image import image_of

P2P_PORT: Final = 30303
RPC_PORT: Final = 8545
METRICS_PORT: Final = 9305
CONTAINER: Final = "statusd"
DATA: Final = "/data"
SETTINGS: Final = "/etc/statusd"
CONFIG_KEY: Final = "config.json"
SECRET_KEY: Final = "secret.json"  # noqa: S105 - the name of a file
KEY_FILE: Final = f"{SETTINGS}/nodekey"
"""Where the Secret with a member's identity shows, which no other object repeats."""
USER: Final = 65532
RESTRICTED_POD: Final[JsonDict] = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}
SOON_ELSEWHERE: Final[list[JsonDict]] = [
    {
        "key": f"node.kubernetes.io/{state}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 30,
    }
    for state in ("not-ready", "unreachable")
]
"""Tolerations of a pod that keeps nothing: it leaves a node that is away long before the usual five
minutes are over."""
RESTRICTED_CONTAINER: Final[JsonDict] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
_RESOURCES: Final[Mapping[RoleName, Mapping[str, Mapping[str, str]]]] = {
    "bootstrap": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}},
    "relayer": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
    "rendezvous": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}},
    "mailserver": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
}


def pod_shape(fleet: str, role: RoleSpec, image: Image, own_image: str) -> JsonDict:
    """Return the part of a pod template that is the same for all members of a role.

    `statefulset` adds names, labels, volumes and the restart hash.
    """
    template = role.template
    own_labels = (GROUP, "app.kubernetes.io")
    spec: JsonDict = {
        "automountServiceAccountToken": False,
        "containers": [_container(role, image, own_image)],
        "enableServiceLinks": False,
        "securityContext": merge(RESTRICTED_POD, template.security_context),
        "terminationGracePeriodSeconds": template.termination_grace_period_seconds,
        "topologySpreadConstraints": list(template.topology_spread_constraints)
        or _spread(fleet, role.role),
        "affinity": template.affinity or _apart(fleet, role.role),
    }
    optional: JsonDict = {
        "imagePullSecrets": [{"name": name} for name in image.pull_secrets],
        "nodeSelector": template.node_selector,
        "tolerations": tolerations(role),
        "priorityClassName": template.priority_class_name,
        "runtimeClassName": template.runtime_class_name,
        "serviceAccountName": template.service_account_name,
    }
    spec |= {key: value for key, value in optional.items() if value}
    labels = {k: v for k, v in template.labels.items() if k.partition("/")[0] not in own_labels}
    annotations = {k: v for k, v in template.annotations.items() if k.partition("/")[0] != GROUP}
    shape: JsonDict = {"metadata": {"labels": labels, "annotations": annotations}, "spec": spec}
    # Each member mounts its own claim; that there is one is the same for all, and needs a new pod.
    return {**shape, "claim": True} if role.storage is not None else shape


def tolerations(role: RoleSpec) -> list[JsonDict]:
    """Return what the members of a role put up with on their nodes."""
    return [_plain(toleration) for toleration in role.template.tolerations]


def _container(role: RoleSpec, image: Image, own_image: str) -> JsonDict:
    p2p: JsonDict = {"containerPort": P2P_PORT}
    if role.expose.type == "HostPort":
        p2p["hostPort"] = role.expose.port or P2P_PORT
    return {
        "name": CONTAINER,
        "image": image_of(image, own_image),
        "imagePullPolicy": image.pull_policy,
        "command": ["statusd"],
        "args": [
            *("-c", f"{SETTINGS}/{CONFIG_KEY}", "-c", f"{SETTINGS}/{SECRET_KEY}", "-fleet", ""),
            *("-metrics", "-metrics-port", str(METRICS_PORT)),
        ],
        "ports": [
            {"name": "p2p", "protocol": "TCP", **p2p},
            {"name": "p2p-udp", "protocol": "UDP", **p2p},
            {"name": "metrics", "protocol": "TCP", "containerPort": METRICS_PORT},
        ],
        # An archive of years may take its time to open; after that, silence is an illness.
        "startupProbe": _probe("/health", period=1, failures=300),
        "livenessProbe": _probe("/health", period=10, failures=6),
        "readinessProbe": _probe("/ready", period=2, failures=2),
        "resources": _resources(role),
        "securityContext": merge(RESTRICTED_CONTAINER, role.template.container_security_context),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "data", "mountPath": DATA},
            {"name": "settings", "mountPath": SETTINGS, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - an empty volume of its own
        ],
    }


def _resources(role: RoleSpec) -> JsonDict:
    """Return what the user says, and the role's defaults for resources that are not named.

    A default beside it could contradict: a limit below a request.
    """
    named = {**role.resources.requests, **role.resources.limits}
    wished = {"requests": role.resources.requests, "limits": role.resources.limits}
    return {
        part: {
            **{key: value for key, value in defaults.items() if key not in named},
            **wished[part],
        }
        for part, defaults in _RESOURCES[role.role].items()
    }


def _probe(path: str, *, period: int, failures: int) -> JsonDict:
    return {
        "httpGet": {"path": path, "port": "metrics"},
        "periodSeconds": period,
        "failureThreshold": failures,
        "timeoutSeconds": 5,
    }


def _plain(part: Model) -> JsonDict:
    return part.model_dump(by_alias=True, exclude_none=True)


def _selector(fleet: str, role: RoleName) -> JsonDict:
    return {"matchLabels": {FLEET_LABEL: fleet, ROLE_LABEL: role}}


def _spread(fleet: str, role: RoleName) -> list[JsonDict]:
    """Spread a role over zones where there are any; a full zone keeps nobody from running."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": _selector(fleet, role),
        }
    ]


def _apart(fleet: str, role: RoleName) -> JsonDict:
    """Keep the members of a role on different nodes as far as there are enough."""
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": _selector(fleet, role),
    }
    preferred = [{"weight": 100, "podAffinityTerm": term}]
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
