"""What a kubelet is told of an operator: it lives while its watches bring something."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from statusfleet.handlers.operator import Operator, OperatorSettings
from statusnode.metrics.server import MetricsServer

KOPF_NOTICES_SECONDS = 70.0
"""What Kopf takes to find out that a connection is dead: until then nothing is wrong."""


class FakeWatches:
    """In the place of watches, which nobody can have silent for minutes."""

    silent_seconds = 0.0


@pytest.fixture
async def health() -> AsyncIterator[tuple[Operator, str]]:
    operator = Operator(OperatorSettings())
    server = MetricsServer("127.0.0.1", 0, operator._sources())
    await server.start()
    yield operator, f"http://127.0.0.1:{server.port}/health"
    await server.stop()


async def test_who_leads_lives_while_its_watches_progress_and_who_stands_by_lives_anyway(
    health: tuple[Operator, str],
) -> None:
    operator, url = health
    async with aiohttp.ClientSession() as session:

        async def answer() -> tuple[int, str]:
            async with session.get(url) as response:
                return response.status, (await response.text()).strip()

        assert await answer() == (200, "OK")
        watches: Any = FakeWatches()
        operator._watches = watches
        for silent_seconds, status in ((0.0, 200), (KOPF_NOTICES_SECONDS, 200), (600.0, 503)):
            watches.silent_seconds = silent_seconds
            assert (await answer())[0] == status
        assert (await answer())[1] == "the watches bring nothing any more"
