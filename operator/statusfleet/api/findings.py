"""What the longer rules of a manifest find: the offending fields, relative to the part. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from statusfleet.api.exposure import Address
from statusfleet.api.problems import Path
from statusfleet.api.roles import Roles, RoleSpec, Storage
from statusfleet.api.text import PRIVATE_IPV4, PRIVATE_IPV6, quantity
from statusfleet.api.tree import Sink, TreeSpec


def static_without_address(role: RoleSpec) -> Iterator[Path]:
    """Find a role that is reached by fixed addresses, and whose members lack them."""
    missing = [n for n in role.ordinals() if role.override(n).address is None]
    if role.expose.type == "Static" and missing:
        yield ("members",)


def private_addresses(role: RoleSpec) -> Iterator[Path]:
    """Find private addresses that would be published by accident."""
    if role.expose.address_scope == "Private":
        return
    for place, member in enumerate(role.members):
        if member.address is None:
            continue
        if PRIVATE_IPV4.search(member.address.ip):
            yield ("members", place, "address", "ip")
        if PRIVATE_IPV6.search(member.address.ip6 or ""):
            yield ("members", place, "address", "ip6")


def same_address(role: RoleSpec) -> Iterator[Path]:
    """Find members of one role with one address."""
    seen: set[tuple[str, int]] = set()
    for place, member in enumerate(role.members):
        if member.address is not None:
            if _endpoint(member.address) in seen:
                yield ("members", place, "address")
            seen.add(_endpoint(member.address))


def same_address_across_roles(roles: Roles) -> Iterator[Path]:
    """Find members of different roles with one address."""
    owners: dict[tuple[str, int], RoleSpec] = {}
    for role in roles.present():
        for place, member in enumerate(role.members):
            if member.address is None:
                continue
            if owners.setdefault(_endpoint(member.address), role) is not role:
                yield (role.role, "members", place, "address")


def _endpoint(address: Address) -> tuple[str, int]:
    return address.ip, address.tcp


def same_ordinal(role: RoleSpec) -> Iterator[Path]:
    """Find an ordinal that stands twice."""
    seen: set[int] = set()
    for place, member in enumerate(role.members):
        if member.ordinal in seen:
            yield ("members", place, "ordinal")
        seen.add(member.ordinal)


def same_key_secret(role: RoleSpec) -> Iterator[Path]:
    """Find members with one key."""
    seen = set()
    for place, member in enumerate(role.members):
        if member.node_key_secret is not None:
            if member.node_key_secret.value_id in seen:
                yield ("members", place, "nodeKeySecret")
            seen.add(member.node_key_secret.value_id)


def same_sink(tree: TreeSpec) -> Iterator[Path]:
    """Find a sink that stands twice."""
    seen: set[str] = set()
    for place, sink in enumerate(tree.publish):
        if sink.name in seen:
            yield ("publish", place)
        seen.add(sink.name)


def same_link(tree: TreeSpec) -> Iterator[Path]:
    """Find a link that stands twice, which no tree can hold."""
    for place, link in enumerate(tree.links):
        if link in tree.links[:place]:
            yield ("links", place)


def foreign_zone(tree: TreeSpec) -> Iterator[Path]:
    """Find a zone that the tree does not stand in."""
    for place, sink in enumerate(tree.publish):
        update = sink.rfc2136
        if update and not f".{tree.domain}".endswith(f".{update.zone}"):
            yield ("publish", place, "rfc2136", "zone")


def sink_count(sink: Sink) -> int:
    """Return how many sorts of sink an entry is."""
    return sum(getattr(sink, field) is not None for field in type(sink).model_fields)


def smaller(storage: Storage, before: Storage) -> Iterator[Path]:
    """Find a volume that would shrink."""
    if quantity(storage.size) < quantity(before.size):
        yield ("size",)
