"""The fleets whose addresses are built in: eth.prod, eth.staging and eth.test.

`fleets.json` holds who runs where (boot nodes, relays, mailservers: address, public key, and for
boot nodes the libp2p id of the rendezvous server beside them); this module spells it as the layer
of configuration that `-fleet` adds. Source of the facts: the fleets' published node lists, as of
status-go 0.68.4.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

DISCOVERY_PORT: Final = 443
RENDEZVOUS_PORT: Final = 30703
FLEET_NAMES: Final = ("eth.prod", "eth.staging", "eth.test")


def fleet_layer(name: str) -> dict[str, Any]:
    """Return the settings of a built-in fleet, as a configuration file would give them.

    Raises:
        KeyError: there is no such fleet.
    """
    # Read only when a fleet is asked for: an isolated node never pays for it.
    table = json.loads(Path(__file__).with_name("fleets.json").read_text(encoding="ascii"))
    fleet = table[name]
    settings: dict[str, Any] = fleet["settings"]
    return settings | {
        "ClusterConfig": {
            "Enabled": True,
            "Fleet": name,
            "BootNodes": [_enode(node) for node in fleet["boot"]],
            "TrustedMailServers": [_enode(node) for node in fleet["mail"]],
            # A fleet's push notification servers are its mailservers; the keys are SEC 1 points.
            "PushNotificationsServers": ["04" + node["key"] for node in fleet["mail"]],
            "StaticNodes": [_enode(node) for node in fleet["relay"]],
            "RendezvousNodes": [_rendezvous(node) for node in fleet["boot"]],
        }
    }


def _enode(node: dict[str, str]) -> str:
    return f"enode://{node['key']}@{node['ip']}:{DISCOVERY_PORT}"


def _rendezvous(node: dict[str, str]) -> str:
    return f"/ip4/{node['ip']}/tcp/{RENDEZVOUS_PORT}/ethv4/{node['peer']}"
