"""The StatefulSet of one member: one replica, replaced only when somebody deletes its pod. Pure."""

from __future__ import annotations

from pathlib import PurePosixPath

from statusfleet.api.model import SecretKeyRef
from statusfleet.kube.kinds import STATEFUL_SET, JsonDict
from statusfleet.kube.names import NODE_KEY
from statusfleet.plan import MemberId
from statusfleet.worlds.kubernetes.names import PINNED, RESTART_HASH, Owner
from statusfleet.worlds.kubernetes.pin import Pin
from statusfleet.worlds.kubernetes.pod import CONFIG_KEY, KEY_FILE, SECRET_KEY
from statusfleet.worlds.kubernetes.secret import secret_name


def stateful_set(
    owner: Owner,
    member: MemberId,
    pin: Pin,
    restart_hash: str,
    *,
    has_claim: bool,
    adopted: SecretKeyRef | None = None,
) -> JsonDict:
    """Return a member's StatefulSet; `adopted` is the key that the manifest gives the member.

    `OnDelete`: its template may change at once, since a pod is replaced by a rollout alone, or
    where the member has to move anyway.
    """
    name = owner.child(member.name)
    data: JsonDict = {"emptyDir": {}}
    if has_claim:
        data = {"persistentVolumeClaim": {"claimName": name}}
    shape = pin.shape
    labels = {**shape["metadata"]["labels"], **owner.member_labels(member)}
    annotations = {**shape["metadata"]["annotations"], RESTART_HASH: restart_hash}
    body = owner.body(
        STATEFUL_SET,
        owner.stateful_set(member),
        owner.member_labels(member),
        annotations={PINNED: pin.text},
    )
    body["spec"] = {
        "replicas": 1,
        "serviceName": name,
        "selector": {"matchLabels": owner.member_selector(member)},
        "updateStrategy": {"type": "OnDelete"},
        "revisionHistoryLimit": 1,
        "template": {
            "metadata": {"labels": labels, "annotations": annotations},
            "spec": {
                "serviceAccountName": owner.name,
                **shape["spec"],
                "volumes": [
                    {"name": "data", **data},
                    {"name": "settings", "projected": _settings(name, adopted)},
                    {"name": "tmp", "emptyDir": {}},
                ],
            },
        },
    }
    return body


def _settings(name: str, adopted: SecretKeyRef | None) -> JsonDict:
    """All files in one volume, so that they change together."""
    config = [{"key": CONFIG_KEY, "path": CONFIG_KEY}]
    secret = [{"key": SECRET_KEY, "path": SECRET_KEY}]
    identity = (adopted.name, adopted.key) if adopted is not None else (name, NODE_KEY)
    key = [{"key": identity[1], "path": PurePosixPath(KEY_FILE).name}]
    return {
        "defaultMode": 0o440,
        "sources": [
            {"configMap": {"name": name, "items": config}},
            {"secret": {"name": secret_name(name), "items": secret}},
            {"secret": {"name": identity[0], "items": key}},
        ],
    }
