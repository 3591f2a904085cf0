"""Who may reach a fleet's pods: peers everybody, metrics the operator and monitors. Pure.

JSON-RPC listens on the pod's loopback, so no policy has to close it.
"""

from __future__ import annotations

from typing import Final

from statusfleet.kube.kinds import NETWORK_POLICY, JsonDict
from statusfleet.kube.names import FLEET_LABEL, ROLE_LABEL
from statusfleet.worlds.kubernetes.names import CANARY, Owner
from statusfleet.worlds.kubernetes.pod import METRICS_PORT, P2P_PORT

_NAME: Final = "app.kubernetes.io/name"
MONITORS: Final = ("grafana-agent", "prometheus", "prometheus-agent", "vmagent")
"""Names (`app.kubernetes.io/name`) of the pods that may read metrics, in any namespace."""
OPERATOR: Final = {_NAME: "statusfleet", "app.kubernetes.io/component": "operator"}
"""Labels of the operator's pods, in any namespace."""


def member_policy(owner: Owner) -> JsonDict:
    """Return the policy of all members: what may come in. Peers may be dialed anywhere."""
    body = owner.body(NETWORK_POLICY, owner.name, owner.labels)
    monitors = {"key": _NAME, "operator": "In", "values": list(MONITORS)}
    body["spec"] = {
        "podSelector": {
            "matchLabels": {FLEET_LABEL: owner.name},
            "matchExpressions": [{"key": ROLE_LABEL, "operator": "Exists"}],
        },
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "ports": [
                    {"protocol": "TCP", "port": P2P_PORT},
                    {"protocol": "UDP", "port": P2P_PORT},
                ]
            },
            {
                "from": [
                    {"namespaceSelector": {}, "podSelector": {"matchLabels": dict(OPERATOR)}},
                    {"namespaceSelector": {}, "podSelector": {"matchExpressions": [monitors]}},
                ],
                "ports": [{"protocol": "TCP", "port": METRICS_PORT}],
            },
        ],
    }
    return body


def canary_policy(owner: Owner) -> JsonDict:
    """Return the policy of the canary: nobody has business with it."""
    body = owner.body(NETWORK_POLICY, owner.child(CANARY), owner.canary_labels)
    body["spec"] = {
        "podSelector": {"matchLabels": owner.canary_selector},
        "policyTypes": ["Ingress"],
    }
    return body
