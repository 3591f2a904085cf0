"""An operator that is killed at each step of a publication, before a real DNS server."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.dns_servers import bind
from support.killed_publisher import Errand, publishers
from support.killing import killed_at_each_step
from support.ports import HOST


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_publisher_killed_at_any_step_leaves_a_whole_tree_and_the_next_one_ends_its_work(
    tmp_path: Path,
) -> None:
    (tmp_path / "dns").mkdir()
    with bind(tmp_path / "dns") as server:
        errand = Errand(str(tmp_path / "memory"), 0, 16, 1.7e9, "rfc2136", server.address)
        async with publishers() as others:
            steps = await killed_at_each_step(others, errand, (HOST, server.port))
    assert steps > 8
