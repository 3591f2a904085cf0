"""A fleet with all that can break: relayers, mailservers with volumes, a tree, a canary."""

from __future__ import annotations

from typing import Any

from support.operator_process import FleetUser, has_reason, is_true

EXPOSE = {"type": "NodePort", "addressScope": "Private"}
Json = dict[str, Any]


def spec(relayers: int = 2, mailservers: int = 1, **more: Any) -> Json:
    """Members on node ports, a tree that is soon forgotten, a canary that runs all the time."""
    storage = {"size": "64Mi"}
    return {
        "roles": {
            "relayer": {"replicas": relayers, "expose": EXPOSE},
            "mailserver": {"replicas": mailservers, "expose": EXPOSE, "storage": storage},
        },
        "canary": {"interval": "2s"},
        "tree": {"domain": "nodes.test.example", "ttl": {"root": "1s"}},
        "rollout": {"soak": "1s"},
        **more,
    }


async def whole(user: FleetUser) -> Json:
    """Wait until the fleet is all that its spec says; return its status."""

    def holds(status: Json) -> bool:
        needed = ("Ready", "TreePublished", "TreePropagated", "CanaryPassing")
        steady = has_reason("Progressing", "Steady")(status)
        return steady and all(is_true(kind)(status) for kind in needed)

    return await user.until(holds, "whole")


def enodes(status: Json) -> dict[str, str]:
    """Return by name where each member is, as everybody else reaches it."""
    return {member["name"]: member["enode"] for member in status["members"]}


def identities(status: Json) -> dict[str, str]:
    """Return by name who each member is, wherever it is."""
    return {name: enode.partition("@")[0] for name, enode in enodes(status).items()}


def numbers(status: Json) -> dict[str, int]:
    """Return the sequence numbers of the members' records, and of the tree."""
    found = {member["name"]: member["seq"] for member in status["members"]}
    return found | {"the tree": status["tree"]["seq"]}


def row(status: Json, member: str) -> Json:
    """Return what a status says of one member."""
    return next(one for one in status["members"] if one["name"] == member)
