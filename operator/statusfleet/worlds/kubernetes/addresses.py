"""By which address the world reaches a member: decided from what the cluster shows. Pure.

Sources in order: the address that the manifest gives the member; else the one that its way of
exposure has, and no other, so that a slow load balancer does not make a member publish an address
that it is about to lose. Of a node's addresses the types stand in the order of `addressTypes`.
`addressScope` decides which may be published at all; a member for which none is left waits, with a
reason and a remedy. A record names one IPv4 and one IPv6 address where there are both: of one
source, or of two types of a node's addresses, since clouds call its IPv4 address external and its
IPv6 address internal, from where it is reached as well. While a member is started anew its pod has
no node, and its last address stays: mostly it is the next one too. So does that of a load balancer
while nobody has told yet what its name stands for.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from statusfleet.api.exposure import Address, AddressType, Expose
from statusfleet.plan import Endpoint
from statusfleet.worlds.kubernetes.pod import P2P_PORT
from statusfleet.worlds.kubernetes.records import NodeRecord, ServiceRecord

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_OWN_PORT: Final = frozenset({"LoadBalancer", "HostPort"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What the cluster shows of one member.

    `node` is the one that its pod runs on. `resolved` are the addresses of host names of load
    balancers, without names of which nobody has told yet. `previous` are the hosts of the last
    record: among equals, they stay. `last_port` is the port of that record.
    """

    service: ServiceRecord | None = None
    node: NodeRecord | None = None
    resolved: Mapping[str, Sequence[str]] = field(default_factory=dict)
    previous: frozenset[str] = frozenset()
    last_port: int = 0


@dataclass(frozen=True, slots=True)
class Chosen:
    """The address, with its source; without one, why there is none and what to do."""

    endpoint: Endpoint | None
    source: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    hosts: tuple[str, ...]
    port: int


def advertised(expose: Expose, own: Address | None, seen: Seen) -> Chosen:
    """Return the address that a member's record should name.

    It names no UDP port: members have no discovery, and so no listener there.
    """
    if own is not None:
        return Chosen(Endpoint(own.ip, own.tcp, host6=own.ip6 or ""), "Override")
    withheld: list[str] = []
    sources = [source for source in _sources(expose, seen) if source.port]
    for place, source in enumerate(sources):
        usable = [host for host in source.hosts if may_be_published(host, expose)]
        endpoint = _endpoint(usable, source.port, seen.previous)
        if endpoint is not None:
            others = [host for other in sources[place + 1 :] for host in other.hosts]
            return Chosen(_with_both(endpoint, others, expose, seen.previous), source.name)
        withheld += [host for host in source.hosts if host not in usable]
    if withheld:
        return Chosen(None, problem=_withheld(withheld[0], expose))
    return Chosen(None, problem=_nothing(expose, seen))


def dialed(service: ServiceRecord | None) -> Endpoint | None:
    """Return the address by which members of the fleet reach a member: the Service's own."""
    if service is None or not service.port:
        return None
    return _endpoint(list(service.cluster_ips), service.port, frozenset())


def may_be_published(host: str, expose: Expose) -> bool:
    """Tell whether a record may name an address: with scope Public a global one alone."""
    address = _parse(host)
    if address is None or address.is_multicast or address.is_unspecified or address.is_link_local:
        return False
    return expose.address_scope == "Private" or address.is_global


def _sources(expose: Expose, seen: Seen) -> Iterator[_Source]:
    service = seen.service
    port = expose.port or P2P_PORT if expose.type in _OWN_PORT else 0
    if expose.type == "LoadBalancer" and service is not None:
        yield _Source("LoadBalancer", (*service.balancer_ips, *_named(service, seen, port)), port)
    elif expose.type in ("NodePort", "HostPort"):
        port = port or (service.node_port if service is not None else 0)
        if seen.node is None:
            if port == seen.last_port:
                yield _Source(f"{expose.type}/last", tuple(sorted(seen.previous)), port)
            return
        hosts = _addresses(seen.node)
        for kind in expose.address_types:
            served = tuple(host for host in hosts[kind] if _serves(service, host))
            yield _Source(f"{expose.type}/{kind}", served, port)
    elif expose.type == "ClusterIP" and service is not None:
        yield _Source("ClusterIP", service.cluster_ips, service.port)


def _addresses(node: NodeRecord) -> Mapping[AddressType, Sequence[str]]:
    return {"ExternalIP": node.external_ips, "InternalIP": node.internal_ips}


def _serves(service: ServiceRecord | None, host: str) -> bool:
    """Tell whether a node answers for its member at this address: in the Service's families alone.

    Nodes may have IPv6 addresses in a cluster whose pods have none.
    """
    inside = service.cluster_ips if service is not None else ()
    return not inside or any((":" in ip) == (":" in host) for ip in inside)


def _named(service: ServiceRecord, seen: Seen, port: int) -> tuple[str, ...]:
    """Return the addresses of a load balancer's names: the last ones while nobody knows better."""
    names = service.balancer_names
    found = tuple(host for name in names for host in seen.resolved.get(name, ()))
    unknown = any(name not in seen.resolved for name in names)
    if unknown and not found and port == seen.last_port:
        return tuple(sorted(seen.previous))
    return found


def _endpoint(hosts: Sequence[str], port: int, previous: frozenset[str]) -> Endpoint | None:
    parsed = [address for address in map(_parse, hosts) if address is not None]
    ranked = sorted(parsed, key=lambda address: str(address) not in previous)  # stable
    v4 = next((str(address) for address in ranked if address.version == 4), "")
    v6 = next((str(address) for address in ranked if address.version == 6), "")
    if not v4 and not v6:
        return None
    return Endpoint(v4 or v6, port, host6=v6 if v4 else "")


def _with_both(
    endpoint: Endpoint, others: Sequence[str], expose: Expose, previous: frozenset[str]
) -> Endpoint:
    """Give it an address of the family that it lacks, as far to be reached from as its own."""
    own = ipaddress.ip_address(endpoint.host)
    if endpoint.host6:
        return endpoint
    fitting = [
        host
        for host in others
        if may_be_published(host, expose)
        and (other := ipaddress.ip_address(host)).version != own.version
        and other.is_global == own.is_global
    ]
    return _endpoint([endpoint.host, *fitting], endpoint.tcp, previous) or endpoint


def _parse(host: str) -> IpAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _withheld(host: str, expose: Expose) -> str:
    if expose.type == "ClusterIP":
        return (
            f"its address {host} is reached from inside the cluster alone: set "
            "expose.addressScope to Private to publish it there, or choose another expose.type"
        )
    return (
        f"its address {host} is not public: set expose.addressScope to Private to publish it, or "
        "give the member an address in members"
    )


def _nothing(expose: Expose, seen: Seen) -> str:
    if expose.type == "Static":
        return "expose.type is Static, so its address must stand in members: give it one there"
    if seen.service is None:
        return "its Service is not there yet"
    if expose.type == "LoadBalancer":
        if names := seen.service.balancer_names:
            return f"its load balancer's name {names[0]} has no address in DNS yet"
        return (
            "its load balancer has no address yet: see kubectl describe service "
            f"{seen.service.child.name}, and whether the cluster has a load balancer controller"
        )
    if seen.node is None:
        return "its pod has no node yet, whose address it would have"
    types = " and ".join(expose.address_types)
    if expose.type == "NodePort" and not seen.service.node_port:
        return "its Service has no node port yet"
    known = _addresses(seen.node)
    if any(known[kind] for kind in expose.address_types):
        families = " and ".join("IPv6" if ":" in ip else "IPv4" for ip in seen.service.cluster_ips)
        return f"its node {seen.node.name} has no {types} of {families}, which its Service is of"
    return f"its node {seen.node.name} has no {types}: name other types in expose.addressTypes"
