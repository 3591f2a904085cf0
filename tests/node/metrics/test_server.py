"""The HTTP server of metrics and health, on a real socket."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from statusnode.metrics.server import MetricsServer, Sources
from statusnode.metrics.text import gauge


@asynccontextmanager
async def served(*, healthy: bool = True, missing: tuple[str, ...] = ()) -> AsyncIterator[str]:
    sources = Sources(lambda: [gauge("a", "A.", 1)], lambda: healthy, lambda: missing)
    server = MetricsServer("127.0.0.1", 0, sources)
    await server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        await server.stop()


async def get(url: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, response.headers["Content-Type"], await response.text()


async def test_metrics_are_served_as_text() -> None:
    async with served() as url:
        status, kind, text = await get(f"{url}/metrics")
    assert status == 200
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    assert text.endswith("a 1\n")


async def test_health_follows_the_listener() -> None:
    async with served() as url:
        assert (await get(f"{url}/health"))[::2] == (200, "OK")
    async with served(healthy=False) as url:
        assert (await get(f"{url}/health"))[0] == 503


async def test_readiness_says_what_is_missing() -> None:
    async with served() as url:
        assert (await get(f"{url}/ready"))[::2] == (200, "ready\n")
    async with served(missing=("this", "that")) as url:
        assert (await get(f"{url}/ready"))[::2] == (503, "this\nthat\n")


async def test_anything_else_is_not_there() -> None:
    async with served() as url:
        assert (await get(f"{url}/debug"))[0] == 404


async def test_one_port_is_chosen_for_the_addresses_of_both_families() -> None:
    server = MetricsServer("", 0, Sources(list, lambda: True, list))
    await server.start()
    try:
        for host in ("127.0.0.1", "[::1]"):
            assert (await get(f"http://{host}:{server.port}/health"))[0] == 200
    finally:
        await server.stop()


async def test_a_port_in_use_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        sources = Sources(list, lambda: True, list)
        server = MetricsServer("127.0.0.1", taken.getsockname()[1], sources)
        with pytest.raises(OSError, match="in use"):
            await server.start()
        await server.stop()
