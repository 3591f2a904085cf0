"""The nodes of a fleet in the forms that other programs read. Pure.

Sources: the shape of fleets.status.im, as the Status apps read it (fleet, service, host name,
address; host names `<role>-<nn>.<datacenter>.<fleet>`, relayers called `node` under the service
`whisper`), and status-go's `ClusterConfig`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from statusfleet.api.fleet import StatusFleet
from statusfleet.api.roles import RoleName
from statusfleet.cli.kubectl.formats import Format
from statusfleet.plan import desired_members
from statusnode.records.enode import Enode
from statusnode.records.enr import Record

_SERVICES: Final[Mapping[RoleName, tuple[str, str]]] = {
    "bootstrap": ("boot", "boot"),
    "mailserver": ("mail", "mail"),
    "relayer": ("whisper", "node"),
}
"""Service and first part of the host name by role; others are none of these files' matter."""
_STATIC_NODES: Final = 2


@dataclass(frozen=True, slots=True)
class Node:
    """One member as others see it; `enode` and `enr` are None while it has no address."""

    name: str
    role: RoleName
    ordinal: int
    ready: bool | None = None
    """Whether it is ready; None for one that the status has no room for."""
    published: bool | None = None
    """Whether its record is in the tree; None as for `ready`."""
    enode: str | None = None
    enr: str | None = None


def nodes_of(fleet: StatusFleet, records: Mapping[str, Record]) -> tuple[Node, ...]:
    """Return a fleet's nodes: as the status tells of them, and where it has no room for them, as
    the last `records` signed for them by name do.
    """
    rows = {row.name: row for row in fleet.status.members} if fleet.status is not None else {}
    found = []
    for member in desired_members(fleet.spec):
        node = Node(member.name, member.role, member.ordinal)
        if row := rows.get(member.name):
            node = replace(
                node, ready=row.ready, published=row.published, enode=row.enode, enr=row.enr
            )
        elif record := records.get(member.name):
            node = replace(node, enode=str(record.enode()), enr=str(record))
        found.append(node)
    return tuple(found)


def write(
    nodes: Sequence[Node],
    form: Format,
    *,
    fleet: str,
    datacenter: str,
    choose: Callable[[int], int],
) -> str:
    """Return the text of the nodes in a form; those without an address are left out.

    `fleet` and `datacenter` are the names that clients know. `choose(n)` picks a number below n:
    every client of a large fleet that took the same relayers would be too much for these.
    """
    match form:
        case Format.ENODE:
            return "\n".join(node.enode for node in nodes if node.enode)
        case Format.ENR:
            return "\n".join(node.enr for node in nodes if node.enr)
        case Format.JSON:
            return json.dumps([asdict(node) for node in nodes], indent=2)
        case Format.FLEETS_JSON:
            return json.dumps(fleets_json(nodes, fleet, datacenter), indent=2)
        case Format.CLUSTER_CONFIG:
            return json.dumps(cluster_config(nodes, choose), indent=2)


def fleets_json(nodes: Iterable[Node], fleet: str, datacenter: str) -> dict[str, Any]:
    """Return what the Status apps read: fleet, service, host name, address.

    Their pattern of an address ends with the port, so a UDP port of its own is not told.
    """
    services: dict[str, dict[str, str]] = {}
    for node in nodes:
        if node.enode and node.role in _SERVICES:
            service, first = _SERVICES[node.role]
            parts = (f"{first}-{node.ordinal + 1:02}", datacenter, fleet)
            enode = Enode.parse(node.enode)
            address = str(replace(enode, udp=enode.tcp))
            services.setdefault(service, {})[".".join(filter(None, parts))] = address
    return {"fleets": {fleet: services}}


def cluster_config(nodes: Sequence[Node], choose: Callable[[int], int]) -> dict[str, Any]:
    """Return the part of statusd's configuration that names a fleet's nodes.

    Of the relayers two that follow each other, as status-go chooses its static nodes. Complete
    enough to replace the fleet that statusd would join by itself: its switches are told too, since
    statusd refuses to discover from no nodes.
    """
    boot = _enodes(nodes, "bootstrap")
    mail = [Enode.parse(enode) for enode in _enodes(nodes, "mailserver")]
    relayers = _enodes(nodes, "relayer")
    start = choose(len(relayers)) if relayers else 0
    ring = itertools.islice(itertools.cycle(relayers), start, start + _STATIC_NODES)
    return {
        "NoDiscovery": not boot,
        "Rendezvous": False,
        "ClusterConfig": {
            "Enabled": True,
            # To statusd a name is one of the fleets that are built into it.
            "Fleet": "",
            "BootNodes": boot,
            "TrustedMailServers": list(map(str, mail)),
            # A fleet's push notification servers are its mailservers; the keys are SEC 1 points.
            "PushNotificationsServers": [f"04{one.public_key.data.hex()}" for one in mail],
            "StaticNodes": list(dict.fromkeys(ring)),
            "RendezvousNodes": [],
        },
    }


def _enodes(nodes: Iterable[Node], role: RoleName) -> list[str]:
    return [node.enode for node in nodes if node.role == role and node.enode]
