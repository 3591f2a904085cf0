"""What works through pipes to other processes is tested on both loops that a node may run on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop

THROUGH_PIPES = ("test_process", "test_client")


def pytest_asyncio_loop_factories(
    config: pytest.Config,
    item: pytest.Item,
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.path.stem in THROUGH_PIPES:
        return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.SelectorEventLoop}
