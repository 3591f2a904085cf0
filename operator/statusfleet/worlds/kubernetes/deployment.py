"""The Deployment of a fleet's canary, and the pod that any run of it needs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from statusfleet.api.spec import Image
from statusfleet.kube.kinds import DEPLOYMENT, JsonDict
from statusfleet.kube.names import NODE_KEY, canary_object
from statusfleet.worlds.kubernetes.image import image_of
from statusfleet.worlds.kubernetes.names import CANARY, Owner
from statusfleet.worlds.kubernetes.pod import (
    RESTRICTED_CONTAINER,
    RESTRICTED_POD,
    SOON_ELSEWHERE,
)
from statusfleet.worlds.kubernetes.secret import CANARY_KEY, secret_name

_FOLDER: Final = "/etc/canary"
CANARY_KEY_FILE: Final = f"{_FOLDER}/{NODE_KEY}"
"""Where the Secret with the canary's identity shows."""


def canary_deployment(owner: Owner, image: Image, own_image: str) -> JsonDict:
    """Return the canary: a pod that reads its Secret again before each run."""
    name = owner.child(CANARY)
    body = owner.body(DEPLOYMENT, name, owner.canary_labels)
    files = [(secret_name(name), CANARY_KEY), (canary_object(owner.name), NODE_KEY)]
    body["spec"] = {
        "replicas": 1,
        "revisionHistoryLimit": 1,
        "selector": {"matchLabels": owner.canary_selector},
        # Two canaries with one key would push each other out of the members' peer lists.
        "strategy": {"type": "Recreate"},
        "template": {
            "metadata": {"labels": owner.canary_labels},
            "spec": canary_pod(owner, image, own_image, files),
        },
    }
    return body


def canary_pod(
    owner: Owner, image: Image, own_image: str, files: Sequence[tuple[str, str]]
) -> JsonDict:
    """Return the spec of a pod that runs the canary; `files` are Secrets with the key of each.

    One of the keys is `CANARY_KEY`, by which the program finds what it is told.
    """
    spec: JsonDict = {
        "automountServiceAccountToken": False,
        "containers": [
            {
                "name": CANARY,
                "image": image_of(image, own_image),
                "imagePullPolicy": image.pull_policy,
                "command": ["python", "-P", "-m", "statusfleet.canary"],
                "args": [f"{_FOLDER}/{CANARY_KEY}"],
                "resources": {
                    "requests": {"cpu": "20m", "memory": "96Mi"},
                    "limits": {"memory": "256Mi"},
                },
                "securityContext": RESTRICTED_CONTAINER,
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "volumeMounts": [
                    {"name": "settings", "mountPath": _FOLDER, "readOnly": True},
                    {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - an empty volume of its own
                ],
            }
        ],
        "enableServiceLinks": False,
        "securityContext": RESTRICTED_POD,
        "serviceAccountName": owner.name,
        "terminationGracePeriodSeconds": 5,
        "tolerations": SOON_ELSEWHERE,
        "volumes": [
            {
                "name": "settings",
                "projected": {
                    "defaultMode": 0o440,
                    "sources": [_file(secret, key) for secret, key in files],
                },
            },
            {"name": "tmp", "emptyDir": {}},
        ],
    }
    if image.pull_secrets:
        spec["imagePullSecrets"] = [{"name": secret} for secret in image.pull_secrets]
    return spec


def _file(secret: str, key: str) -> JsonDict:
    return {"secret": {"name": secret, "items": [{"key": key, "path": key}]}}
