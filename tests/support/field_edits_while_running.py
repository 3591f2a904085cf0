"""Edits that start nobody anew: addresses, numbers of members, volumes, and live settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from statusnode.records.enr import Record
from support.field_edits import (
    ROLES,
    Course,
    Edit,
    Shows,
    Surroundings,
    merged,
    nested,
    objects,
    whole,
)
from support.field_edits_of_pods import one
from support.fleet_sight import Sight
from support.manifest_tables import ENODE

# Nobody is there, and nobody outside of this machine is asked.
_OWN = {"ip": "172.30.0.99", "ip6": "fd00::99", "tcp": 443}


def _setting(
    role: str, field: str, value: Any, path: str, written: str, *, pinned: bool = False
) -> Edit:
    """A setting that a running member takes up: its file changes, and its log tells of it."""
    member = f"{role}-0"
    changes = objects(member, "ConfigMap", *(["StatefulSet"] if pinned else []))
    return Edit(
        (f"roles.{role}.{field}",),
        nested(f"roles.{role}.{field}", value),
        lambda sight: written in _config(sight, member),
        changes,
        heard=(member, path),
    )


def _config(sight: Sight, member: str) -> str:
    found = sight.objects.get(f"ConfigMap {member}", {})
    return str(found.get("data", {}).get("config.json", ""))


def _has_peer(member: str, key: str) -> Shows:
    return lambda sight: f'"{key}": [\n      "{ENODE}"' in _config(sight, member)


def _live(role: str) -> Course:
    edits = [
        _setting(role, "maxPeers", 77, "MaxPeers", '"MaxPeers": 77'),
        _setting(role, "minPow", 0.0002, "WakuConfig.MinimumPoW", '"MinimumPoW": 0.0002'),
        _setting(role, "config", {"LogLevel": "DEBUG"}, "LogLevel", '"DEBUG"', pinned=True),
    ]
    if role == "mailserver":
        days, limit = "MailServerDataRetention", "MailServerRateLimit"
        edits += [
            _setting(role, "retentionDays", 9, f"WakuConfig.{days}", f'"{days}": 9'),
            _setting(role, "rateLimit", "7s", f"WakuConfig.{limit}", f'"{limit}": 7'),
        ]
    member = f"{role}-0"
    for field, key in (("static", "StaticNodes"), ("trustedMailservers", "TrustedMailServers")):
        edits.append(
            Edit(
                (f"peers.{field}",),
                nested(f"peers.{field}", [ENODE]),
                _has_peer(member, key),
                objects(member, "ConfigMap"),
                heard=(member, f"ClusterConfig.{key}"),
            )
        )
    edits += [
        Edit(
            ("paused",),
            {"paused": True, **nested(f"roles.{role}.maxPeers", 78)},
            lambda sight: sight.status.get("phase") == "Paused",
            condition=("Paused", "PausedBySpec"),
        ),
        Edit(
            ("paused",),
            {"paused": False},
            lambda sight: '"MaxPeers": 78' in _config(sight, member),
            objects(member, "ConfigMap"),
            condition=("Paused", "Active"),
        ),
    ]
    return Course(f"live-{role}", one(role), tuple(edits))


def _addresses(role: str) -> Course:
    """The ways by which a member is reached; its pod stays where it is."""
    member, expose = f"{role}-0", f"roles.{role}.expose"
    # What a role says of its pods is kept beside them, and `expose` may have a port of the node.
    said = objects(member, "StatefulSet")
    record = objects(member, "ConfigMap")

    def nowhere(field: str, value: Any, says: str) -> Edit:
        return Edit(
            (f"{expose}.{field}",),
            nested(f"{expose}.{field}", value),
            lambda sight: "address" not in sight.member(member),
            said | objects(member, "ConfigMap"),
            condition=("AddressesReady", "AddressMissing"),
            says=says,
        )

    def back(field: str, value: Any) -> Edit:
        return Edit(
            (f"{expose}.{field}",),
            nested(f"{expose}.{field}", value),
            lambda sight: sight.member(member).get("addressSource") == "NodePort/InternalIP",
            said | objects(member, "ConfigMap"),
            condition=("AddressesReady", "AddressesKnown"),
        )

    def annotated(sight: Sight) -> bool:
        return bool(sight.objects[f"Service {member}"]["metadata"]["annotations"].get("note"))

    edits = (
        Edit(
            (f"{expose}.type",),
            nested(f"{expose}.type", "NodePort"),
            lambda sight: sight.member(member).get("addressSource") == "NodePort/InternalIP",
            said | record | objects(member, "Service"),
        ),
        Edit(
            (f"{expose}.annotations",),
            nested(f"{expose}.annotations", {"note": "x"}),
            annotated,
            said | objects(member, "Service"),
        ),
        nowhere("addressTypes", ["ExternalIP"], "has no ExternalIP"),
        back("addressTypes", ["InternalIP"]),
        nowhere("addressScope", "Public", "is not public"),
        back("addressScope", "Private"),
    )
    return Course(f"addresses-{role}", one(role), edits)


def _balanced(role: str) -> Course:
    member, port = f"{role}-0", f"roles.{role}.expose.port"
    expose = {"type": "LoadBalancer", "addressScope": "Private"}
    edit = Edit(
        (port,),
        nested(port, 443),
        lambda sight: sight.objects[f"Service {member}"]["spec"]["ports"][0]["port"] == 443,
        objects(member, "Service", "StatefulSet"),
        condition=("AddressesReady", "AddressMissing"),
        says="a load balancer controller",
    )
    missing = ("AddressesReady", "AddressMissing")
    return Course(f"balanced-{role}", one(role, expose=expose), (edit,), starts=missing)


def _numbers(role: str, around: Surroundings) -> Course:
    """Members that come and go, and what is different for one of them."""
    first, second = f"{role}-0", f"{role}-1"
    members, storage = f"roles.{role}.members", f"roles.{role}.storage"
    peers = objects(first, "ConfigMap")
    volume = objects(second, "PersistentVolumeClaim")

    def exceptions(*found: dict[str, Any]) -> dict[str, Any]:
        return nested(members, list(found))

    def is_own(sight: Sight) -> bool:
        row = sight.member(second)
        if row.get("address") != "172.30.0.99:443":
            return False
        record = Record.parse(row["enr"])
        return (record.ip, str(record.ip6), record.tcp) == (
            _OWN["ip"],
            _OWN["ip6"],
            _OWN["tcp"],
        )

    def gone(name: str) -> Any:
        return lambda sight: f"StatefulSet {name}" not in sight.objects

    edits = (
        Edit(
            (f"roles.{role}.replicas", f"{storage}.storageClassName"),
            nested(f"roles.{role}.replicas", 2),
            lambda sight: (
                sight.status.get("ready") == "2/2" and _class(sight, second) == around.storage_class
            ),
            whole(second) | volume | peers | {f"Secret {second}"},
        ),
        Edit(
            tuple(f"{members}[].address.{name}" for name in _OWN),
            exceptions({"ordinal": 1, "address": _OWN}),
            is_own,
            objects(second, "ConfigMap"),
        ),
        Edit(
            (f"{members}[].disabled",),
            exceptions({"ordinal": 1, "disabled": True}),
            gone(second),
            whole(second) | peers,
        ),
        Edit(
            (f"{members}[].ordinal",),
            exceptions({"ordinal": 0, "disabled": True}),
            lambda sight: gone(first)(sight) and sight.status.get("ready") == "1/1",
            whole(second) | whole(first),
        ),
        Edit(
            (f"{storage}.size",),
            nested(f"{storage}.size", "128Mi"),
            lambda sight: _size(sight, second) == "128Mi",
            volume | objects(second, "StatefulSet"),
        ),
        Edit(
            (f"{storage}.retentionPolicy.whenDeleted",),
            nested(f"{storage}.retentionPolicy.whenDeleted", "Delete"),
            lambda sight: _is_owned(sight, second),
            volume | objects(second, "StatefulSet"),
        ),
        Edit(
            (f"{storage}.retentionPolicy.whenScaled",),
            merged(
                nested(f"{storage}.retentionPolicy.whenScaled", "Delete"),
                {"roles": {role: {"replicas": 1, "members": []}}},
            ),
            lambda sight: gone(second)(sight) and _size(sight, second) == "",
            whole(second) | whole(first) | volume | objects(first, "PersistentVolumeClaim"),
        ),
    )
    small = {"size": "64Mi", "storageClassName": around.storage_class}
    return Course(f"numbers-{role}", one(role, storage=small), edits)


def _size(sight: Sight, member: str) -> str:
    claim = sight.objects.get(f"PersistentVolumeClaim {member}")
    if claim is None or claim["metadata"].get("deletionTimestamp"):
        return ""
    return str(claim["spec"]["resources"]["requests"]["storage"])


def _class(sight: Sight, member: str) -> str:
    found = sight.objects[f"PersistentVolumeClaim {member}"]["spec"]["storageClassName"]
    return str(found)


def _is_owned(sight: Sight, member: str) -> bool:
    claim = sight.objects[f"PersistentVolumeClaim {member}"]
    return bool(claim["metadata"].get("ownerReferences"))


def _volume(around: Surroundings) -> Course:
    """A relayer that gets a volume: what it had is gone, so it is started anew."""
    member = "relayer-0"

    def has_volume(sight: Sight) -> bool:
        volumes = sight.pods[member]["spec"]["volumes"] if member in sight.pods else []
        return any("persistentVolumeClaim" in volume for volume in volumes)

    edit = Edit(
        ("roles.relayer.storage.size",),
        nested("roles.relayer.storage", {"size": "64Mi", "storageClassName": around.storage_class}),
        has_volume,
        objects(member, "StatefulSet", "PersistentVolumeClaim"),
        frozenset({member}),
    )
    return Course("volume", one("relayer"), (edit,))


def courses(around: Surroundings) -> Iterator[Course]:
    """Yield the fleets whose members run on while they are edited, but for one that cannot."""
    for role in ROLES:
        yield _live(role)
        yield _addresses(role)
        yield _balanced(role)
        yield _numbers(role, around)
    yield _volume(around)
