"""A fleet with all that can break: relayers, mailservers with volumes, a tree, a canary."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

from statusfleet.kube import KubeClient, NotFoundError, TransientError
from statusfleet.kube.kinds import STATUS_FLEET
from support.operator_process import FleetUser, has_reason, is_true

EXPOSE = {"type": "NodePort", "addressScope": "Private"}
Json = dict[str, Any]


async def let_go(client: KubeClient, namespace: str) -> None:
    """Let fleets end with their namespace, although no operator runs there any more."""
    for fleet in await client.list(STATUS_FLEET, namespace):
        nobody = {"metadata": {"finalizers": None}}
        with suppress(NotFoundError):
            await client.patch(STATUS_FLEET, namespace, fleet["metadata"]["name"], nobody)


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


@asynccontextmanager
async def witness(user: FleetUser) -> AsyncIterator[None]:
    """See to it that no number falls and that nobody becomes another, whatever happens."""
    looking = asyncio.create_task(_look(user))
    try:
        yield
        assert not looking.done(), await looking
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


async def _look(user: FleetUser) -> None:
    highest: dict[str, int] = {}
    known: dict[str, str] = {}
    async for status in _statuses(user):
        if not status.get("tree"):
            continue  # not begun, or over
        members = [member for member in status["members"] if member.get("enode")]
        seen = {"members": members, "tree": status["tree"]}
        for name, identity in identities(seen).items():
            assert known.setdefault(name, identity) == identity
        for name, number in numbers(seen).items():
            assert number >= highest.get(name, 0), name
            highest[name] = number


async def _statuses(user: FleetUser) -> AsyncIterator[Json]:
    """Yield each status of a fleet, for as long as anybody asks; API servers may come and go."""
    while True:
        with suppress(TransientError, NotFoundError):
            async with aclosing(
                user.client.follow(STATUS_FLEET, user.namespace, user.name)
            ) as fleets:
                async for fleet in fleets:
                    yield (fleet or {}).get("status") or {}
        await asyncio.sleep(0.2)
