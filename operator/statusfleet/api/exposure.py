"""How the world reaches a member: `roles.*.expose`, and a member's own address."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from statusfleet.api.model import Maybe, Model, entries
from statusfleet.api.text import IPv4, IPv6, LabelKey, Line

Port = Annotated[int, Field(ge=1, le=65535)]
ExposeType = Literal["ClusterIP", "NodePort", "LoadBalancer", "HostPort", "Static"]
AddressScope = Literal["Public", "Private"]
AddressType = Literal["ExternalIP", "InternalIP"]

ALLOCATED_PORTS = frozenset({"ClusterIP", "NodePort"})
"""Expose types whose port the cluster gives, so that the manifest cannot."""

LOOPBACK_PREFIX = "127."
"""How an address begins that a member without a cluster can have."""


class Expose(Model):
    """How the world reaches the members of a role. Without a cluster it is not used."""

    type: ExposeType = "NodePort"
    """ClusterIP: inside the cluster only. NodePort: a port of every node. LoadBalancer: a load
    balancer a member. HostPort: a port of the member's own node. Static: the addresses stand in
    `members`, and the network is somebody else's work."""
    port: Maybe[Port] = None
    """Advertised port of LoadBalancer, HostPort and Static, 30303 if absent; 443 is often let
    through by firewalls. NodePort and ClusterIP allocate theirs, so it is refused there."""
    address_scope: AddressScope = "Public"
    """Which addresses may be published: Private allows loopback and private networks."""
    address_types: Annotated[tuple[AddressType, ...], entries(2, at_least=1)] = (
        "ExternalIP",
        "InternalIP",
    )
    """Which of a node's addresses to take, best first."""
    annotations: Annotated[dict[LabelKey, Line], Field(max_length=64)] = Field(default_factory=dict)
    """Annotations of the members' Services, for load balancer controllers."""


class Address(Model):
    """The address that a member advertises, in place of what the world finds."""

    ip: IPv4
    """IPv4 address."""
    ip6: Maybe[IPv6] = None
    """IPv6 address, for a member that has both."""
    tcp: Port
    """TCP port."""
    udp: Maybe[Port] = None
    """UDP port, for a member with discovery; the TCP port if absent."""
