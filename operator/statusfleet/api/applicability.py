"""What of a manifest one world cannot use: told, never silently ignored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from statusfleet.api.exposure import LOOPBACK_PREFIX
from statusfleet.api.problems import Path, path_text
from statusfleet.api.roles import RoleSpec
from statusfleet.api.spec import FleetSpec

World = Literal["processes", "kubernetes"]


def not_applicable(spec: FleetSpec, world: World) -> list[tuple[str, str]]:
    """Return path and sentence of each part of `spec` that has no effect in `world`.

    Only what the manifest says itself counts, not defaults.
    """
    found = [*_unused_members(spec), *_without_discovery(spec)]
    if world == "processes":
        found += _without_cluster(spec)
    return [(path_text(("spec", *path)), sentence) for path, sentence in found]


def _unused_members(spec: FleetSpec) -> Iterator[tuple[Path, str]]:
    for role in spec.roles.present():
        for place, member in enumerate(role.members):
            if member.ordinal >= role.replicas:
                text = f"has no effect yet: the role has {role.replicas} members, counted from 0"
                yield ("roles", role.role, "members", place), text


def _without_discovery(spec: FleetSpec) -> Iterator[tuple[Path, str]]:
    """A record names no port where nobody listens, and no member has a discovery that would."""
    for role in spec.roles.present():
        for place, member in enumerate(role.members):
            if member.address is not None and member.address.udp is not None:
                path = ("roles", role.role, "members", place, "address", "udp")
                yield path, "has no effect yet: members have no discovery, so they name no UDP port"


def _without_cluster(spec: FleetSpec) -> Iterator[tuple[Path, str]]:
    if "image" in spec.model_fields_set:
        yield ("image",), "has no effect here: members run this installation's own statusd"
    if "datacenter" in spec.model_fields_set:
        yield ("datacenter",), "has no effect here: it names the hosts of fleets.json"
    if "rollout" in spec.model_fields_set:
        yield ("rollout",), "has no effect here: what needs a restart is restarted at once"
    if "deletion" in spec.model_fields_set:
        yield ("deletion",), "has no effect here: remove the data folder to delete the fleet"
    for role in spec.roles.present():
        yield from _role_without_cluster(role)
    for place, sink in enumerate(spec.tree.publish if spec.tree else ()):
        if sink.embedded is None:
            text = "has no effect here: loopback addresses never go to a server outside"
            yield ("tree", "publish", place), text
        elif "service" in sink.embedded.model_fields_set:
            text = "has no effect here: the DNS server listens on loopback"
            yield ("tree", "publish", place, "embedded", "service"), text


def _role_without_cluster(role: RoleSpec) -> Iterator[tuple[Path, str]]:
    base: Path = ("roles", role.role)
    for name in sorted(role.expose.model_fields_set - {"address_scope"}):
        field = type(role.expose).model_fields[name].alias or name
        yield (*base, "expose", field), "has no effect here: members listen on loopback"
    sentences = {
        "storage": "has no effect here: members keep their data in the data folder",
        "resources": "has no effect here: processes are not limited",
        "template": "has no effect here: there are no pods",
    }
    for name, sentence in sentences.items():
        if name in role.model_fields_set:
            yield (*base, name), sentence
    for place, member in enumerate(role.members):
        if member.address is not None and not member.address.ip.startswith(LOOPBACK_PREFIX):
            text = "has no effect here: members listen on loopback"
            yield (*base, "members", place, "address"), text
