"""What users ask for while no operator runs, as the next one finds it; no kubelets run here."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import (
    CONFIG_MAP,
    PERSISTENT_VOLUME_CLAIM,
    SECRET,
    SERVICE,
    STATEFUL_SET,
)
from support.kube_api import ApiServer
from support.operator_process import FleetUser, eventually, has_reason, operator

IMAGE = "statusfleet.test/statusfleet:test"
EXPOSE = {"type": "ClusterIP", "addressScope": "Private"}


def roles(relayers: int, mailservers: int) -> dict[str, Any]:
    return {
        "relayer": {"replicas": relayers, "expose": EXPOSE},
        "mailserver": {"replicas": mailservers, "expose": EXPOSE},
    }


@pytest.fixture
def user(definition: None, client: KubeClient, namespace: str) -> FleetUser:
    return FleetUser(client, namespace)


async def members(user: FleetUser) -> set[str]:
    """Return who is to run."""
    found = await user.client.list(STATEFUL_SET, user.namespace)
    return {item["metadata"]["name"].removeprefix(f"{user.name}-") for item in found}


async def versions(user: FleetUser) -> dict[tuple[str, str], str]:
    return {
        (kind.kind, item["metadata"]["name"]): item["metadata"]["resourceVersion"]
        for kind in (CONFIG_MAP, PERSISTENT_VOLUME_CLAIM, SECRET, SERVICE, STATEFUL_SET)
        for item in await user.client.list(kind, user.namespace)
    }


async def test_a_role_that_went_to_zero_while_no_operator_ran_goes_and_keeps_what_it_was(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    where = (tmp_path, api_server.kubeconfig(), user.namespace, IMAGE)
    everybody = {"relayer-0", "mailserver-0", "mailserver-1"}
    async with operator(*where) as first:
        await user.apply(roles=roles(1, 2))
        await user.until(lambda status: len(status.get("members") or ()) == 3, "begun")

        async def are_made() -> bool:
            return await members(user) == everybody

        await eventually(are_made)
        kept = [
            (SECRET, f"{user.name}-mailserver-1"),
            (PERSISTENT_VOLUME_CLAIM, f"{user.name}-mailserver-0"),
        ]
        before = [await user.client.get(kind, user.namespace, name) for kind, name in kept]
        await first.end(signal.SIGTERM)
    await user.apply(roles=roles(1, 0))
    assert await members(user) == everybody
    async with operator(*where):

        async def are_gone() -> bool:
            return await members(user) == {"relayer-0"}

        await eventually(are_gone)
        status = await user.until(lambda status: status.get("ready") == "0/1", "smaller")
        assert [member["name"] for member in status["members"]] == ["relayer-0"]
        assert [await user.client.get(k, user.namespace, name) for k, name in kept] == before


async def test_a_fleet_that_was_paused_while_no_operator_ran_is_not_touched(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    where = (tmp_path, api_server.kubeconfig(), user.namespace, IMAGE)
    async with operator(*where) as first:
        await user.apply(roles=roles(2, 1))
        await user.until(has_reason("Ready", "MembersNotReady"), "begun")
        await first.end(signal.SIGTERM)
    # Somebody deletes what would come back, and asks for less: nothing of it is done.
    await user.client.delete(SERVICE, user.namespace, f"{user.name}-relayer-0")
    await user.apply(roles=roles(1, 0), paused=True)
    before = await versions(user)
    async with operator(*where):
        await user.until(has_reason("Paused", "PausedBySpec"), "paused")
        await asyncio.sleep(1)
        assert await versions(user) == before
        await user.apply(roles=roles(1, 0), paused=False)

        async def is_done() -> bool:
            back = await user.client.find(SERVICE, user.namespace, f"{user.name}-relayer-0")
            return back is not None and await members(user) == {"relayer-0"}

        await eventually(is_done)
