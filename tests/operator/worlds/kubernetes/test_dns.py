"""The fleet's own DNS servers, held to a file that people read.

`UPDATE_GOLDEN=1 pytest …` writes it anew.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from statusfleet.api.spec import Image
from statusfleet.api.tree import DNSService
from statusfleet.worlds.kubernetes.dns import dns_account, dns_objects
from statusfleet.worlds.kubernetes.names import Owner

GOLDEN = Path(__file__).parent / "golden" / "dns.yaml"
OWNER = Owner("status", "eth-dev", "11111111-2222-3333-4444-555555555555")
ACCOUNT = "66666666-7777-8888-9999-000000000000"
OPERATOR_IMAGE = "registry.example/statusfleet:1.0"


def test_the_objects_of_the_dns_servers_are_those_of_the_file() -> None:
    image = Image(pull_secrets=("registry",))
    bodies = [dns_account(OWNER), *dns_objects(OWNER, ACCOUNT, image, OPERATOR_IMAGE)]
    text = yaml.safe_dump_all(bodies, sort_keys=False, width=100)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert list(yaml.safe_load_all(GOLDEN.read_text())) == list(yaml.safe_load_all(text))


def service(wish: DNSService) -> dict[str, Any]:
    bodies = dns_objects(OWNER, ACCOUNT, Image(), OPERATOR_IMAGE, wish)
    return next(body for body in bodies if body["kind"] == "Service")


def test_a_load_balancer_keeps_the_clients_addresses_and_a_node_port_takes_any_node() -> None:
    balanced = service(DNSService(type="LoadBalancer", annotations={"example.org/pool": "dns"}))
    assert balanced["metadata"]["annotations"] == {"example.org/pool": "dns"}
    assert balanced["spec"]["type"] == "LoadBalancer"
    assert balanced["spec"]["externalTrafficPolicy"] == "Local"
    assert {(port["protocol"], port["port"]) for port in balanced["spec"]["ports"]} == {
        ("UDP", 53),
        ("TCP", 53),
    }
    assert "externalTrafficPolicy" not in service(DNSService(type="NodePort"))["spec"]
