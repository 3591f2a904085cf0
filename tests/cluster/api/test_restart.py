"""The API server goes away under a client, and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from statusfleet.kube import KubeClient, TransientError
from statusfleet.kube.kinds import CONFIG_MAP
from statusfleet.store import State
from statusfleet.store.kubernetes import KubernetesStore
from support.kube_api import ApiServer

PATIENCE_SECONDS = 60.0


async def test_a_client_outlives_its_server(
    api_server: ApiServer, client: KubeClient, namespace: str
) -> None:
    store = KubernetesStore(client, namespace, "eth-dev")
    state = await store.write(State(ports={"a": 1}))
    follower = client.follow(CONFIG_MAP, namespace, "eth-dev-state")
    assert await anext(follower) is not None
    waiting = asyncio.create_task(_drain(follower))
    await asyncio.to_thread(api_server.kill)
    try:
        with pytest.raises(TransientError):
            await store.write(state)
        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(TransientError):
                await waiting
    finally:
        await asyncio.to_thread(api_server.start)
    assert await store.read() == state
    assert (await store.write(state)).revision == 2


async def _drain(follower: AsyncIterator[object]) -> None:
    async for _ in follower:
        pass
