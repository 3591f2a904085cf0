"""The fleets of a run: ten members each, and the edit whose way is measured. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from statusfleet.kube.kinds import STATUS_FLEET

MEMBERS = 10
_ROLES = {"mailserver": 2, "relayer": 8}
_IN_A_NAMESPACE = 100
_EXPOSE = {"type": "ClusterIP", "addressScope": "Private"}
"""Each member has an address that a record may name, and that the operator dials."""
_MAX_PEERS = (100, 101)
"""A setting that members read while they run: an edit of it restarts none."""


def place(number: int) -> tuple[str, str]:
    """Return namespace and name of a fleet."""
    return f"bench-{number // _IN_A_NAMESPACE}", f"fleet-{number}"


def namespaces(count: int) -> list[str]:
    """Return the namespaces of so many fleets."""
    return sorted({place(number)[0] for number in range(count)})


def fleet(number: int) -> dict[str, Any]:
    """Return a fleet of ten members: no tree, no canary, reachable within the cluster alone."""
    namespace, name = place(number)
    roles = {role: {"replicas": replicas, "expose": _EXPOSE} for role, replicas in _ROLES.items()}
    return {
        "apiVersion": STATUS_FLEET.api_version,
        "kind": STATUS_FLEET.kind,
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"roles": roles, "canary": {"enabled": False}},
    }


def edit(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an edit that changes a fleet: another limit for its eight relayers."""
    present = body["spec"]["roles"]["relayer"].get("maxPeers")
    wanted = next(peers for peers in _MAX_PEERS if peers != present)
    return {"spec": {"roles": {"relayer": {"maxPeers": wanted}}}}


def is_settled(body: Mapping[str, Any], generation: int) -> bool:
    """Tell whether the status speaks of that generation."""
    return int((body.get("status") or {}).get("observedGeneration") or 0) >= generation


def is_ready(body: Mapping[str, Any]) -> bool:
    """Tell whether a fleet is ready as its present spec says."""
    conditions = (body.get("status") or {}).get("conditions") or ()
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and is_settled(body, body["metadata"]["generation"])
