"""Children are started whole or not at all, whatever becomes of whoever asked for one."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import Process

import psutil
import pytest

from statusnode.messages import mining_worker
from statusnode.messages.child import start_child
from statusnode.messages.mining import Miner, MiningError
from support.processes import lives


@pytest.mark.parametrize("turns", range(4))
async def test_a_start_that_is_cancelled_at_any_moment_leaves_no_process_unknown(
    turns: int,
) -> None:
    kept: list[Process] = []
    starting = asyncio.create_task(start_child(kept.append, mining_worker.__name__))
    for _ in range(turns):
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    # Cancelled before its first step it has begun nothing.
    assert len(kept) == (turns > 0)
    for process in kept:
        process.kill()
        await process.communicate()


async def test_a_start_that_is_cancelled_twice_leaves_no_process_unknown() -> None:
    known = asyncio.get_running_loop().create_future()
    starting = asyncio.create_task(start_child(known.set_result, mining_worker.__name__))
    for _ in range(2):
        await asyncio.sleep(0)
        starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    process = await known
    process.kill()
    await process.communicate()


async def test_a_process_that_cannot_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    kept: list[Process] = []
    with pytest.raises(FileNotFoundError):
        await start_child(kept.append, mining_worker.__name__)
    assert kept == []


async def test_a_miner_that_is_closed_while_its_worker_starts_ends_it() -> None:
    miner = Miner()
    job = asyncio.create_task(miner.mine(b"header", 250, 3600))
    for _ in range(3):
        await asyncio.sleep(0)
    await miner.close()
    with pytest.raises(MiningError):
        await job


async def test_a_worker_that_was_killed_while_it_had_nothing_to_do_fails_one_job_at_most() -> None:
    miner = Miner()
    try:
        await miner.mine(b"header", 12, 60)
        (worker,) = psutil.Process().children()
        worker.kill()
        async with asyncio.timeout(60):
            while lives(worker):  # noqa: ASYNC110 - other processes send no events
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)  # the loop hears of it
        with contextlib.suppress(MiningError):
            await miner.mine(b"header", 12, 60)
        await miner.mine(b"header", 12, 60)
    finally:
        await miner.close()
