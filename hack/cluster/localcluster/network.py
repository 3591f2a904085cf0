"""One network namespace a node and one for the control plane, on a bridge that leads nowhere.

This machine reaches nodes, pods and services by routes of its own; they reach this machine at
its gateway's address. Nothing is forwarded further, in either direction.
"""

from __future__ import annotations

import json
from pathlib import Path

from localcluster.layout import (
    BRIDGE,
    CONTROL_IP,
    CONTROL_NETNS,
    GATEWAY,
    NODES_NETWORK,
    PODS_NETWORK,
    PREFIX,
    SERVICES_NETWORK,
    node_ip,
    node_netns,
    node_pods,
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
    run("ip", "addr", "add", f"{GATEWAY}/24", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")
    for rule in _RULES:
        run("iptables", "-I", *rule)
    numbers = range(1, nodes + 1)
    _attach(CONTROL_NETNS, CONTROL_IP, f"{_CABLE}c")
    for number in numbers:
        _attach(node_netns(number), node_ip(number), _cable(number))
        run("sysctl", "-qw", "net.ipv4.ip_forward=1", netns=node_netns(number))
    for number in numbers:
        for netns in ("", CONTROL_NETNS, *(node_netns(n) for n in numbers if n != number)):
            run("ip", "route", "add", node_pods(number), "via", node_ip(number), netns=netns)
    route_services()


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
    for netns in ("", CONTROL_NETNS) if plugged else ():
        run("ip", "route", "replace", SERVICES_NETWORK, "via", node_ip(plugged[0]), netns=netns)


def remove() -> None:
    """Remove the namespaces, the bridge with its routes, and the rules of the firewall."""
    # The kernel keeps a namespace, and its cable, as long as one of its sockets waits for a peer.
    for link in _links():
        if link.startswith(_CABLE):
            run("ip", "link", "del", link)
    for netns in (CONTROL_NETNS, *map(node_netns, node_numbers())):
        if (_NETNS / netns).exists():
            run("ip", "netns", "del", netns)
    for rule in _RULES:
        while succeeds("iptables", "-D", *rule):
            pass
    if BRIDGE in _links():
        run("ip", "link", "del", BRIDGE)


def _attach(netns: str, address: str, cable: str) -> None:
    run("ip", "netns", "add", netns)
    run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", netns)
    run("ip", "link", "set", cable, "master", BRIDGE, "up")
    run("ip", "link", "set", "lo", "up", netns=netns)
    run("ip", "addr", "add", f"{address}/24", "dev", "eth0", netns=netns)
    run("ip", "link", "set", "eth0", "up", netns=netns)
    run("ip", "route", "add", "default", "via", GATEWAY, netns=netns)


def _refuse_if_taken() -> None:
    for network in (NODES_NETWORK, PODS_NETWORK, SERVICES_NETWORK):
        for scope in ("root", "match"):  # routes inside the network, and those around it
            for route in json.loads(run("ip", "-json", "route", "show", scope, network)):
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
