"""What of a fleet is the same wherever and whenever its spec is applied.

Everything that a cluster gives or an operator makes by chance is called by its meaning: a member's
key, record, address and port, uids, the namespace. What neither gives nor makes by chance has to be
equal: two fleets of one spec are alike when their likenesses are.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from statusfleet.kube.kinds import SERVICE_ACCOUNT
from statusfleet.kube.names import NODE_KEY, PART_LABEL
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enode import Enode
from statusnode.records.enr import Record
from support.fleet_sight import Json, Sight

_METADATA = frozenset({"finalizers", "name"})
_CHANCE_LABELS = frozenset({"controller-revision-hash"})
_CHANCE_ANNOTATIONS = (
    "deployment.kubernetes.io/",
    "kubectl.kubernetes.io/",
    "pv.kubernetes.io/",
    "statusfleet.io/intent",
    "statusfleet.io/restart-hash",
    "statusfleet.io/settings",
    "volume.",
)
# Fields that hold a time, a number that only grows, or what was allocated.
_CHANCE_FIELDS = frozenset(
    {
        "clusterIP",
        "clusterIPs",
        "healthCheckNodePort",
        "lastTransitionTime",
        "nodeName",
        "nodePort",
        "observedGeneration",
        "preparing",
        "propagatedAt",
        "publishedAt",
        "root",
        "seq",
        "volumeName",
    }
)


def likeness(sight: Sight) -> Json:
    """Return what is the same in every fleet of this spec, by name of the part."""
    names = dict(_names(sight))
    claims = set(_claims_in_use(sight))
    found: Json = {
        name: content(body)
        for name, body in sight.objects.items()
        if not _is_kept_for_later(body, claims)
    }
    found |= {f"Pod {name}": content(pod) for name, pod in sight.pods.items()}
    found["finalizers"] = sight.fleet["metadata"].get("finalizers")
    found["spec"] = _without_empty(sight.fleet["spec"])
    found["status"] = sight.status
    plain: Json = _named(_without_chance(found), names)
    return plain


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Yield where two likenesses differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from differences(one.get(key), other.get(key), f"{path}/{key}")
    elif one != other:
        yield f"{path}: {json.dumps(one)} and {json.dumps(other)}"


def _names(sight: Sight) -> Iterator[tuple[str, str]]:
    """Yield what is by chance with its meaning; the longest first, as it may hold the shorter."""
    for row in sight.status.get("members", ()):
        name = row["name"]
        if "enr" in row:
            record = Record.parse(row["enr"])
            yield row["enr"], f"<record of {name}: {' '.join(sorted(_said(record, sight, name)))}>"
        if own := _own_key(sight, name):
            yield own, f"<own key of {name}>"
        if "enode" in row and (not own or own not in row["enode"]):
            yield Enode.parse(row["enode"]).public_key.data.hex(), f"<given key of {name}>"
    for config in _configs(sight):
        if canary := config.get("StatusFleet", {}).get("Canary"):
            yield canary, "<key of the canary>"
    url = sight.status.get("tree", {}).get("url", "")
    if "@" in url:
        yield url.partition("@")[0], "<key of the tree>"
    yield sight.fleet["metadata"]["uid"], "<uid>"
    for name, body in sight.objects.items():
        if body["kind"] == SERVICE_ACCOUNT.kind:
            yield body["metadata"]["uid"], f"<uid of {name}>"
    yield sight.fleet["metadata"]["namespace"], "<namespace>"
    yield from _addresses(sight)


def _own_key(sight: Sight, name: str) -> str:
    """The public half of the key that was made for a member, "" where it was given one at once."""
    if f"Secret {name}" not in sight.objects:
        return ""
    key = PrivateKey.from_hex(sight.texts(f"Secret {name}")[NODE_KEY])
    return key.public_key.data.hex()


def _addresses(sight: Sight) -> Iterator[tuple[str, str]]:
    for name, body in sight.objects.items():
        if name.startswith("Service "):
            yield body["spec"]["clusterIP"], f"<address of {name}>"
            for port in body["spec"]["ports"]:
                if "nodePort" in port:
                    yield f":{port['nodePort']}", f":<port of {name}>"
    for pod in sight.pods.values():
        if "hostIP" in pod.get("status", {}):
            yield pod["status"]["hostIP"], "<address of a node>"


def _said(record: Record, sight: Sight, name: str) -> Iterator[str]:
    """Yield what a record says, in words of the cluster."""
    words = dict(_addresses(sight))
    enode = record.enode()
    yield words.get(enode.host, enode.host)
    yield words.get(f":{enode.tcp}", str(enode.tcp))
    yield from (key.decode() for key, _ in record.pairs)


def _configs(sight: Sight) -> Iterator[Json]:
    for name, body in sight.objects.items():
        if name.startswith("ConfigMap ") and "config.json" in (body.get("data") or {}):
            yield json.loads(body["data"]["config.json"])


def _claims_in_use(sight: Sight) -> Iterator[str]:
    for name, body in sight.objects.items():
        if name.startswith("StatefulSet "):
            for volume in body["spec"]["template"]["spec"]["volumes"]:
                if "persistentVolumeClaim" in volume:
                    yield volume["persistentVolumeClaim"]["claimName"]


def _is_kept_for_later(body: Json, claims: set[str]) -> bool:
    """Tell whether an object outlives what it was made for, on purpose."""
    part = body["metadata"].get("labels", {}).get(PART_LABEL)
    if body["kind"] == "PersistentVolumeClaim":
        return body["metadata"]["name"] not in claims
    return part in ("identity", "state")


def content(body: Json) -> Json:
    """Return what an object says, without what the API server adds and what comes by chance."""
    found = {key: value for key, value in body.items() if key not in ("metadata", "status")}
    found["metadata"] = _metadata(body["metadata"])
    if "template" in body.get("spec", {}):
        template = dict(body["spec"]["template"])
        template["metadata"] = _metadata(template["metadata"])
        found["spec"] = {**body["spec"], "template": template}
    if "data" in body:
        is_secret = body["kind"] == "Secret"
        found["data"] = {
            key: _read(base64.b64decode(text).decode() if is_secret else text)
            for key, text in body["data"].items()
        }
    return found


def _metadata(metadata: Json) -> Json:
    found = {key: value for key, value in metadata.items() if key in _METADATA}
    labels = metadata.get("labels") or {}
    found["labels"] = {key: labels[key] for key in labels if key not in _CHANCE_LABELS}
    found["annotations"] = {
        key: _read(value)
        for key, value in (metadata.get("annotations") or {}).items()
        if not key.startswith(_CHANCE_ANNOTATIONS)
    }
    found["owners"] = [owner["name"] for owner in metadata.get("ownerReferences") or ()]
    return found


def _read(text: str) -> Any:
    """Read JSON where a text is some; the order of peers is by their keys, and so by chance."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    if isinstance(found, dict) and "FleetPeers" in found.get("StatusFleet", {}):
        found["StatusFleet"]["FleetPeers"] = dict.fromkeys(found["StatusFleet"]["FleetPeers"], "")
    return found


def _without_empty(value: Any) -> Any:
    """Leave out what is empty: an edit that takes a field out may leave its default, or nothing."""
    if isinstance(value, dict):
        plain = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in plain.items() if item not in ({}, [], "", None)}
    return [_without_empty(item) for item in value] if isinstance(value, list) else value


def _without_chance(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_chance(v) for k, v in value.items() if k not in _CHANCE_FIELDS}
    return [_without_chance(item) for item in value] if isinstance(value, list) else value


def _named(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {_named(key, names): _named(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    if isinstance(value, str):
        for chance, meaning in names.items():
            value = value.replace(chance, meaning)
    return value
