"""One edit of a running fleet for every field of the manifest, and what it does to the cluster.

The rows stand in `field_edits_*.py` by what they are about; here is what a row is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from support.fleet_sight import Json, Sight

Spec = dict[str, Any]
Shows = Callable[[Sight], bool]
ROLES = ("relayer", "mailserver")
CLUSTER_IP = {"type": "ClusterIP", "addressScope": "Private"}
QUIET: Spec = {"canary": {"enabled": False}, "rollout": {"soak": "0s"}}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of a cluster's the rows name: all made by the test, but the image."""

    image: str
    storage_class: str
    """One whose volumes may grow."""
    runtime_class: str
    dns_port: int
    """Where a BIND takes updates of example.org, on this machine."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit.

    `patch` is merged into the spec. Then `shows` comes true; exactly the objects of `changes` are
    others than before (made, removed, or with another content), and exactly the pods of `restarts`
    (members that ran before) have been made anew; `condition` has that reason, and its message
    holds `says`. `heard` is what a running member writes into its log when it takes a setting up.
    """

    fields: tuple[str, ...]
    patch: Spec
    shows: Shows
    changes: frozenset[str] = frozenset()
    restarts: frozenset[str] = frozenset()
    condition: tuple[str, str] = ("Ready", "AllReady")
    says: str = ""
    heard: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """A fleet, and the edits that it goes through one after another; `needs` are Secrets."""

    name: str
    base: Spec
    edits: tuple[Edit, ...]
    needs: tuple[Json, ...] = ()
    starts: tuple[str, str] = ("Ready", "AllReady")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An edit of `base` that the API server refuses with `sentence`."""

    fields: tuple[str, ...]
    base: Spec
    patch: Spec
    sentence: str


def nested(path: str, value: Any) -> Spec:
    """Return a spec with one value in it: `roles.relayer.replicas`, 2."""
    for step in reversed(path.split(".")):
        value = {step: value}
    found: Spec = value
    return found


def merged(*parts: Spec) -> Spec:
    """Return specs merged into each other, the last one winning."""
    result: Spec = {}
    for part in parts:
        for key, value in part.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


def secret(name: str, **values: str) -> Json:
    """Return a Secret of a user's."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


def objects(member: str, *kinds: str) -> frozenset[str]:
    """Name objects of a member: `ConfigMap relayer-0`."""
    return frozenset(f"{kind} {member}" for kind in kinds)


def whole(member: str) -> frozenset[str]:
    """Name what comes and goes with a member."""
    return objects(member, "ConfigMap", "Service", "StatefulSet") | {f"Secret {member}-config"}


def leaves(schema: Json, path: str = "") -> Iterator[str]:
    """Yield every field of a schema that holds a value: `roles.relayer.members[].disabled`."""
    inside = schema["items"] if schema["type"] == "array" else schema
    here = f"{path}[]" if inside is not schema else path
    fields = inside.get("properties", {})
    if not fields:
        yield path
    for name, field in fields.items():
        yield from leaves(field, f"{here}.{name}".lstrip("."))
