"""Edits of what a member's pod is made from: each starts the members of its role anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from statusnode.crypto.keys import PrivateKey
from support.field_edits import (
    CLUSTER_IP,
    QUIET,
    ROLES,
    Course,
    Edit,
    Surroundings,
    merged,
    nested,
    objects,
    secret,
)
from support.fleet_sight import Json, Sight

_KEY = PrivateKey.from_hex("5e" * 32)
_MOST_IN_A_COURSE = 5
_TOLERATION = {"key": "relay", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 9}
_EQUAL = {"key": "relay", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}
_NEAR = {
    "nodeAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {
                "weight": 1,
                "preference": {
                    "matchExpressions": [{"key": "disk", "operator": "In", "values": ["fast"]}]
                },
            }
        ]
    }
}
_SPREAD = {
    "maxSkew": 2,
    "topologyKey": "kubernetes.io/hostname",
    "whenUnsatisfiable": "ScheduleAnyway",
    "labelSelector": {"matchLabels": {"team": "x"}},
}


def _container(pod: Json) -> Json:
    found: Json = pod["spec"]["containers"][0]
    return found


def _pod_edits(role: str, around: Surroundings) -> Iterator[Edit]:
    """Yield the edits of a role whose only member is its first."""
    member = f"{role}-0"

    def edit(fields: str, value: Any, seen: Callable[[Json], Any], expected: Any) -> Edit:
        field, *more = fields.split()
        place = field.partition("[]")[0]
        return Edit(
            tuple(f"roles.{role}.{name}" for name in (field, *more)),
            nested(f"roles.{role}.{place}", value),
            lambda sight: member in sight.pods and seen(sight.pods[member]) == expected,
            objects(member, "StatefulSet"),
            frozenset({member}),
        )

    def spec(name: str) -> Callable[[Json], Any]:
        return lambda pod: pod["spec"].get(name)

    yield edit(
        "template.labels", {"team": "x"}, lambda pod: pod["metadata"]["labels"].get("team"), "x"
    )
    yield edit(
        "template.annotations", {"n": "x"}, lambda pod: pod["metadata"]["annotations"].get("n"), "x"
    )
    system = {"kubernetes.io/os": "linux"}
    yield edit("template.nodeSelector", system, spec("nodeSelector"), system)
    tolerations = "template.tolerations[]"
    yield edit(
        f"{tolerations}.key {tolerations}.operator {tolerations}.effect "
        f"{tolerations}.tolerationSeconds",
        [_TOLERATION],
        lambda pod: _TOLERATION in pod["spec"]["tolerations"],
        True,
    )
    yield edit(
        f"{tolerations}.value", [_EQUAL], lambda pod: _EQUAL in pod["spec"]["tolerations"], True
    )
    yield edit("template.affinity", _NEAR, spec("affinity"), _NEAR)
    yield edit(
        "template.topologySpreadConstraints",
        [_SPREAD],
        spec("topologySpreadConstraints"),
        [_SPREAD],
    )
    yield edit(
        "template.securityContext",
        {"supplementalGroups": [1000]},
        lambda pod: pod["spec"]["securityContext"].get("supplementalGroups"),
        [1000],
    )
    yield edit(
        "template.containerSecurityContext",
        {"privileged": False},
        lambda pod: _container(pod)["securityContext"].get("privileged"),
        False,
    )
    urgent = "system-cluster-critical"
    yield edit("template.priorityClassName", urgent, spec("priorityClassName"), urgent)
    runtime = around.runtime_class
    yield edit("template.runtimeClassName", runtime, spec("runtimeClassName"), runtime)
    yield edit("template.serviceAccountName", "default", spec("serviceAccountName"), "default")
    grace = "terminationGracePeriodSeconds"
    yield edit(f"template.{grace}", 5, spec(grace), 5)
    yield edit(
        "resources.requests",
        {"cpu": "11m"},
        lambda pod: _container(pod)["resources"]["requests"]["cpu"],
        "11m",
    )
    yield edit(
        "resources.limits",
        {"memory": "700Mi"},
        lambda pod: _container(pod)["resources"]["limits"]["memory"],
        "700Mi",
    )


def _keyed(role: str) -> Course:
    """A member that gets another key, and settings that it reads at its start."""
    member = f"{role}-0"
    reference = {"name": f"old-{role}", "key": "hex"}
    key = f"roles.{role}.members[].nodeKeySecret"
    adopted = Edit(
        (f"{key}.name", f"{key}.key", f"roles.{role}.members[].ordinal"),
        nested(f"roles.{role}.members", [{"ordinal": 0, "nodeKeySecret": reference}]),
        lambda sight: _KEY.public_key.data.hex() in sight.member(member).get("enode", ""),
        objects(member, "ConfigMap", "StatefulSet"),
        frozenset({member}),
    )
    config = Edit(
        (f"roles.{role}.config",),
        nested(f"roles.{role}.config", {"MaxPendingPeers": 5}),
        lambda sight: '"MaxPendingPeers": 5' in _settings(sight, member),
        objects(member, "ConfigMap", "StatefulSet"),
        frozenset({member}),
    )
    edits = [adopted, config]
    needs = [secret(f"old-{role}", hex=_KEY.data.hex())]
    if role == "mailserver":
        needs.append(secret("mail", first="one password", second="another"))
        edits += [_password(member, "first"), _password(member, "second")]
    return Course(f"keyed-{role}", one(role), tuple(edits), tuple(needs))


def _password(member: str, key: str) -> Edit:
    place = "roles.mailserver.password.secretKeyRef"
    return Edit(
        (f"{place}.name", f"{place}.key"),
        nested(place, {"name": "mail", "key": key}),
        lambda sight: member in sight.pods,
        frozenset({f"Secret {member}-config", f"StatefulSet {member}"}),
        frozenset({member}),
    )


def _settings(sight: Sight, member: str) -> str:
    return str(sight.objects[f"ConfigMap {member}"]["data"]["config.json"])


def one(role: str, **fields: Any) -> dict[str, Any]:
    """A fleet of one member."""
    return merged(QUIET, {"roles": {role: {"expose": CLUSTER_IP, **fields}}})


def courses(around: Surroundings) -> Iterator[Course]:
    """Yield the fleets whose pods are made anew by every edit."""
    for role in ROLES:
        edits = tuple(_pod_edits(role, around))
        for start in range(0, len(edits), _MOST_IN_A_COURSE):
            name = f"pods-{role}-{start}"
            yield Course(name, one(role), edits[start : start + _MOST_IN_A_COURSE])
        yield _keyed(role)
