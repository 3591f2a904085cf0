"""Network policies as rules: who may reach what. Decided here as a cluster's network would.

Source of the meaning: Kubernetes API reference, NetworkPolicy (networking.k8s.io/v1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from statusfleet.plan import MemberId
from statusfleet.worlds.kubernetes.dns import dns_objects
from statusfleet.worlds.kubernetes.names import Owner
from statusfleet.worlds.kubernetes.networkpolicy import canary_policy, member_policy
from support.fleet_observations import fleet

OWNER = Owner("status", "eth-dev", "1-2")
OTHER = Owner("status", "eth-prod", "3-4")
NAME = "app.kubernetes.io/name"
STRANGER = {NAME: "something"}
OPERATOR = {NAME: "statusfleet", "app.kubernetes.io/component": "operator"}
PROMETHEUS = {NAME: "prometheus"}
MEMBER = OWNER.member_labels(MemberId("relayer", 0))
CANARY = OWNER.canary_labels
DNS = dns_objects(OWNER, "5-6", fleet({"roles": {"relayer": {}}}).spec.image, "r/s:1")
DNS_POD: dict[str, str] = DNS[-1]["spec"]["template"]["metadata"]["labels"]
POLICIES = [
    member_policy(OWNER),
    canary_policy(OWNER),
    *(body for body in DNS if body["kind"] == "NetworkPolicy"),
]


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Tell whether a label selector chooses these labels."""
    for part in selector.get("matchExpressions", ()):
        value = labels.get(part["key"])
        match part["operator"]:
            case "Exists":
                chosen = value is not None
            case "In":
                chosen = value in part["values"]
            case other:
                raise AssertionError(other)
        if not chosen:
            return False
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def may_reach(
    sender: Mapping[str, str] | None, pod: Mapping[str, str], protocol: str, port: int
) -> bool:
    """Tell whether a pod (None: somebody outside of the cluster) may reach a port of another."""
    chosen = [p["spec"] for p in POLICIES if matches(p["spec"]["podSelector"], pod)]
    assert chosen, "no policy chooses this pod, so everybody may"
    assert all(spec["policyTypes"] == ["Ingress"] for spec in chosen)
    for spec in chosen:
        for rule in spec.get("ingress", ()):
            ports = [(entry["protocol"], entry["port"]) for entry in rule["ports"]]
            senders = rule.get("from")
            known = senders is None or (
                sender is not None
                and any(
                    entry.get("namespaceSelector") == {} and matches(entry["podSelector"], sender)
                    for entry in senders
                )
            )
            if known and (protocol, port) in ports:
                return True
    return False


@pytest.mark.parametrize("sender", [None, STRANGER, MEMBER, CANARY, OPERATOR])
@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_everybody_may_be_a_peer(sender: Mapping[str, str] | None, protocol: str) -> None:
    assert may_reach(sender, MEMBER, protocol, 30303)


@pytest.mark.parametrize(
    ("sender", "may"),
    [
        (OPERATOR, True),
        (PROMETHEUS, True),
        ({NAME: "vmagent"}, True),
        ({NAME: "statusfleet"}, False),
        (STRANGER, False),
        (MEMBER, False),
        (None, False),
    ],
)
def test_metrics_are_for_the_operator_and_for_monitors(
    sender: Mapping[str, str] | None, may: bool
) -> None:
    assert may_reach(sender, MEMBER, "TCP", 9305) is may


@pytest.mark.parametrize("sender", [None, STRANGER, MEMBER, CANARY, OPERATOR, PROMETHEUS])
def test_nobody_may_reach_json_rpc_or_the_canary(sender: Mapping[str, str] | None) -> None:
    assert not may_reach(sender, MEMBER, "TCP", 8545)
    assert not any(may_reach(sender, CANARY, "TCP", port) for port in (30303, 8545, 9305))


@pytest.mark.parametrize("sender", [None, STRANGER, MEMBER])
def test_everybody_may_ask_the_dns_servers_and_nothing_else(
    sender: Mapping[str, str] | None,
) -> None:
    assert may_reach(sender, DNS_POD, "UDP", 5353)
    assert may_reach(sender, DNS_POD, "TCP", 5353)
    assert not may_reach(sender, DNS_POD, "TCP", 8081)


def test_the_policies_of_one_fleet_leave_others_alone() -> None:
    strangers = [OTHER.member_labels(MemberId("relayer", 0)), OTHER.canary_labels, STRANGER]
    for policy in POLICIES:
        assert not any(matches(policy["spec"]["podSelector"], labels) for labels in strangers)
