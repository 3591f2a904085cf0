"""How many sockets a node may have is up to its MaxPeers, not to the shell that started it."""

from __future__ import annotations

import resource
from pathlib import Path

import psutil
import pytest

from support.statusd_process import statusd

SOFT = 256
"""Enough for the test itself."""


async def test_the_soft_limit_of_open_files_is_raised_to_the_hard_one(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] <= SOFT:
        pytest.fail(f"this machine allows {before[1]} open files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT, before[1]))
    try:
        async with statusd(tmp_path) as node:
            await node.enode()
            limits = psutil.Process(node.process.pid).rlimit(resource.RLIMIT_NOFILE)
            assert limits == (before[1], before[1])
            assert await node.stop() == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
