"""Waiting for something or for the word to stop, with nothing left behind."""

from __future__ import annotations

import asyncio

import pytest

from statusfleet.reconcile.racing import unless


async def test_work_that_is_done_first_counts() -> None:
    async def work() -> None:
        await asyncio.sleep(0)

    assert await unless(asyncio.Event(), work())


async def test_work_has_ended_when_it_is_told_to_stop() -> None:
    stop, ended = asyncio.Event(), []

    async def work() -> None:
        try:
            stop.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # as who closes a connection
            ended.append(True)

    assert not await unless(stop, work())
    assert ended == [True]


async def test_what_goes_wrong_is_told() -> None:
    async def work() -> None:
        raise OSError("no way to the cluster")

    with pytest.raises(OSError, match="no way to the cluster"):
        await unless(asyncio.Event(), work())


async def test_whoever_waits_may_be_cancelled_and_leaves_nothing_running() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    waiting = asyncio.create_task(unless(asyncio.Event(), work()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended == [True]
    assert asyncio.all_tasks() == {asyncio.current_task()}
