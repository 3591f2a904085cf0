"""The budget of a role: a drain of nodes takes one member at a time. Pure."""

from __future__ import annotations

from statusfleet.api.roles import RoleName
from statusfleet.kube.kinds import POD_DISRUPTION_BUDGET, JsonDict
from statusfleet.worlds.kubernetes.names import Owner


def pod_disruption_budget(owner: Owner, role: RoleName) -> JsonDict:
    """Return a role's budget.

    One may go, even the only one: a budget that lets none go would keep a node from ever being
    drained. Members that do not run anyway never stand in the way.
    """
    body = owner.body(POD_DISRUPTION_BUDGET, owner.child(role), owner.role_labels(role))
    body["spec"] = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": owner.role_selector(role)},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return body
