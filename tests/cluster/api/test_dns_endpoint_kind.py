"""The kind of ExternalDNS's objects is installed by others, or is not, and may come and go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest

from statusfleet.handlers.mirror import FleetId, Mirror
from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import DNS_ENDPOINT
from statusfleet.kube.names import fleet_labels
from support.dns_endpoint_kind import install, remove

PATIENCE_SECONDS = 120.0


@pytest.fixture
async def without_kind(client: KubeClient) -> AsyncIterator[None]:
    await install(client)  # another test may have left it there, or not
    await remove(client)
    yield
    await install(client)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if holds():
                return
            await asyncio.sleep(0.05)


async def test_its_objects_are_followed_from_when_it_is_installed_to_when_it_is_removed(
    client: KubeClient,
    namespace: str,
    without_kind: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("statusfleet.handlers.following._LONGEST_RETRY_SECONDS", 0.5)
    changed: list[FleetId] = []
    mirror = Mirror(
        client,
        (namespace,),
        changed=changed.append,
        all_changed=lambda: None,
        clock=time.monotonic,
    )

    def seen() -> set[str]:
        children = mirror.snapshot((namespace, "eth")).children
        return {name for kind, name in children if kind == "DNSEndpoint"}

    running = asyncio.create_task(mirror.run())
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await mirror.sights[namespace].whole()
        await install(client)
        body = {
            "apiVersion": DNS_ENDPOINT.api_version,
            "kind": DNS_ENDPOINT.kind,
            "metadata": {
                "namespace": namespace,
                "name": "eth-tree-root",
                "labels": fleet_labels("eth", part="dns-root"),
            },
        }
        await client.create(body)
        await until(lambda: seen() == {"eth-tree-root"})
        await client.delete(DNS_ENDPOINT, namespace, "eth-tree-root")
        await until(lambda: not seen())
        await client.create(body)
        await until(lambda: bool(seen()))
        await remove(client)
        await until(lambda: not seen())
        assert set(changed) == {(namespace, "eth")}
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert "DNSEndpoint" not in caplog.text
