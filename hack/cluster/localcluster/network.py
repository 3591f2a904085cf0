"""One network namespace a node and one for the control plane, on a bridge that leads nowhere.

This machine reaches nodes, pods and services by routes of its own; they reach this machine at
its gateway's address. Nothing is forwarded further, in either direction.
"""

from __future__ import annotations

import json
from pathlib import Path

from localcluster.layout import (
    BRIDGE,
    CONTROL_NETNS,
    FAMILIES,
    PREFIX,
    Family,
    families,
    node_netns,
)
from localcluster.shell import ClusterError, run, succeeds

_NETNS = Path("/run/netns")
_CABLE = f"{PREFIX}v"
# Later ones stand above earlier ones.
_RULES = (
    ("FORWARD", "-i", BRIDGE, "-j", "DROP"),
    ("FORWARD", "-o", BRIDGE, "-j", "DROP"),
    ("FORWARD", "-i", BRIDGE, "-o", BRIDGE, "-j", "ACCEPT"),
)


def make(nodes: int) -> None:
    """Make the bridge, the namespaces and all routes.

    Raises:
        ClusterError: this machine uses one of the networks for something else.
    """
    _refuse_if_taken()
    run("ip", "link", "add", BRIDGE, "type", "bridge")
    for family in families():
        _address(family, family.gateway, BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")
    for family in families():
        for rule in _RULES:
            run(family.iptables, "-I", *rule)
    numbers = range(1, nodes + 1)
    _attach(CONTROL_NETNS, [family.control for family in families()], f"{_CABLE}c")
    for number in numbers:
        _attach(node_netns(number), [family.node(number) for family in families()], _cable(number))
    for family in families():
        _lead_to_pods(family, numbers)
    route_services()


def _lead_to_pods(family: Family, numbers: range) -> None:
    for number in numbers:
        run("sysctl", "-qw", f"{family.forwarding}=1", netns=node_netns(number))
        for netns in ("", CONTROL_NETNS, *(node_netns(n) for n in numbers if n != number)):
            way = (family.node_pods(number), "via", family.node(number))
            run(*family.ip, "route", "add", *way, netns=netns)


def node_numbers() -> list[int]:
    """Return the numbers of all nodes of the cluster, whether they have power or not."""
    return sorted(int(path.name.rpartition("-")[2]) for path in _NETNS.glob(f"{PREFIX}node-*"))


def plug(number: int, *, is_in: bool) -> None:
    """Plug a node's cable in, or pull it out."""
    run("ip", "link", "set", _cable(number), "up" if is_in else "down")
    route_services()


def route_services() -> None:
    """Lead services, from this machine and the API server, to the first node that has its cable."""
    plugged = [number for number in node_numbers() if _is_plugged(number)]
    for family in families() if plugged else ():
        way = (str(family.services), "via", family.node(plugged[0]))
        for netns in ("", CONTROL_NETNS):
            run(*family.ip, "route", "replace", *way, netns=netns)


def remove() -> None:
    """Remove the namespaces, the bridge with its routes, and the rules of the firewall."""
    # The kernel keeps a namespace, and its cable, as long as one of its sockets waits for a peer.
    for link in _links():
        if link.startswith(_CABLE):
            run("ip", "link", "del", link)
    for netns in (CONTROL_NETNS, *map(node_netns, node_numbers())):
        if (_NETNS / netns).exists():
            run("ip", "netns", "del", netns)
    # Of all families: nobody knows which ones a start that failed had.
    for family in FAMILIES["dual"]:
        for rule in _RULES:
            while succeeds(family.iptables, "-D", *rule):
                pass
    if BRIDGE in _links():
        run("ip", "link", "del", BRIDGE)


def _attach(netns: str, addresses: list[str], cable: str) -> None:
    run("ip", "netns", "add", netns)
    run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", netns)
    run("ip", "link", "set", cable, "master", BRIDGE, "up")
    run("ip", "link", "set", "lo", "up", netns=netns)
    for family, address in zip(families(), addresses, strict=True):
        _address(family, address, "eth0", netns=netns)
    run("ip", "link", "set", "eth0", "up", netns=netns)
    for family in families():
        run(*family.ip, "route", "add", "default", "via", family.gateway, netns=netns)


def _address(family: Family, address: str, device: str, netns: str = "") -> None:
    # Nobody else has it, and for a second IPv6 would not use one that it has to ask about.
    at_once = ("nodad",) if family.nodes.version == 6 else ()
    own = f"{address}/{family.nodes.prefixlen}"
    run(*family.ip, "addr", "add", own, "dev", device, *at_once, netns=netns)


def _refuse_if_taken() -> None:
    networks = [(f, net) for f in families() for net in (f.nodes, f.pods, f.services)]
    for family, network in networks:
        for scope in ("root", "match"):  # routes inside the network, and those around it
            found = run(*family.ip, "-json", "route", "show", scope, str(network))
            for route in json.loads(found):
                if route["dst"] != "default":
                    where = route.get("dev", "another device")
                    raise ClusterError(f"this machine uses {route['dst']} already, on {where}")


def _cable(number: int) -> str:
    return f"{_CABLE}{number}"


def _is_plugged(number: int) -> bool:
    return "UP" in _links()[_cable(number)]


def _links() -> dict[str, list[str]]:
    """Return the flags of each network device of this machine."""
    links = json.loads(run("ip", "-json", "link", "show"))
    return {link["ifname"]: link["flags"] for link in links}
