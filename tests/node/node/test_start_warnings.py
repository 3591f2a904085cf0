"""What a configuration asks for and does not get, but may live without, is warned about."""

from __future__ import annotations

from pathlib import Path

from support.statusd_process import statusd


async def test_a_clock_that_nobody_corrects_is_warned_about(tmp_path: Path) -> None:
    async with statusd(tmp_path, EnableNTPSync=True) as node:
        await node.logged(r"lvl=warn .*EnableNTPSync has no effect")
        await node.enode()
        assert await node.stop() == 0
