"""Why no pod is made, as an API server has it.

No controller runs here: the tests write the Events that the one of StatefulSets writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import EVENT
from statusfleet.worlds.kubernetes import refusals
from statusfleet.worlds.kubernetes.refusals import Refusals
from support.kube_api import ApiServer

SETS = ("small-relayer-0", "small-relayer-1")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "FIRST_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(refusals, "SLOWEST_LOOK_SECONDS", 0.1)


@asynccontextmanager
async def following(
    client: KubeClient, namespace: str, *missing: str
) -> AsyncIterator[tuple[Refusals, asyncio.Event]]:
    """Ask about StatefulSets; the event is set after each look."""
    looked = asyncio.Event()
    found = Refusals(client, namespace, looked.set)
    async with asyncio.TaskGroup() as group:
        found.follow(group, missing)
        yield found, looked
        found.stop()


async def look(looked: asyncio.Event) -> None:
    """Wait for a look that began after this."""
    for _ in range(2):
        looked.clear()
        await asyncio.wait_for(looked.wait(), 60)


async def happens(
    client: KubeClient, namespace: str, about: str, reason: str, second: int, message: str = ""
) -> None:
    body = {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {"namespace": namespace, "name": f"{about}.{second}"},
        "involvedObject": {"kind": "StatefulSet", "namespace": namespace, "name": about},
        "reason": reason,
        "message": message,
        "lastTimestamp": f"2026-01-01T00:00:{second:02}Z",
    }
    await client.create(body)


async def test_each_member_is_told_what_its_own_stateful_set_says(
    client: KubeClient, namespace: str
) -> None:
    first, second = SETS
    await happens(client, namespace, first, "FailedCreate", 1, "create failed error: a quota")
    async with following(client, namespace, *SETS) as (found, looked):
        await look(looked)
        assert [found.said(name) for name in SETS] == ["a quota", ""]
        await happens(client, namespace, first, "SuccessfulCreate", 2)
        await happens(client, namespace, second, "FailedCreate", 2, "create failed error: a class")
        await look(looked)
        assert [found.said(name) for name in SETS] == ["", "a class"]


async def test_without_the_right_to_read_events_nothing_is_known_and_it_goes_on(
    api_server: ApiServer, client: KubeClient, namespace: str
) -> None:
    await happens(client, namespace, SETS[0], "FailedCreate", 1, "create failed error: a quota")
    async with (
        await KubeClient.connect(api_server.kubeconfig("nobody")) as nobody,
        following(nobody, namespace, *SETS) as (found, looked),
    ):
        await look(looked)
        assert found.said(SETS[0]) == ""


async def test_a_fleet_whose_pods_are_all_there_asks_nothing(
    client: KubeClient, namespace: str
) -> None:
    async with asyncio.TaskGroup() as group:
        looked = asyncio.Event()
        found = Refusals(client, namespace, looked.set)
        found.follow(group, SETS)
        await look(looked)
        found.follow(group, ())
        looked.clear()
        await asyncio.sleep(0.5)
        assert not looked.is_set()
    # The group has ended by itself: no task is left that would ask.
