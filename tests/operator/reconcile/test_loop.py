"""The loop that is woken by events."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from statusfleet.reconcile.loop import Wakeful


class Steps:
    """Counts steps; each asks for the next after `wait` seconds."""

    def __init__(self, wait: float) -> None:
        self.wait = wait
        self.count = 0
        self.taken = asyncio.Event()

    async def __call__(self) -> float:
        self.count += 1
        self.taken.set()
        await asyncio.sleep(0)
        return self.wait


async def end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_step_is_taken_at_once_and_after_each_event() -> None:
    steps = Steps(wait=3600)
    loop = Wakeful(steps)
    task = asyncio.create_task(loop.run())
    for count in (1, 2, 3):
        await steps.taken.wait()
        steps.taken.clear()
        assert steps.count == count
        loop.wake()
    await end(task)


async def test_many_events_during_a_step_are_one_step_more() -> None:
    steps = Steps(wait=3600)
    loop = Wakeful(steps)
    task = asyncio.create_task(loop.run())
    await steps.taken.wait()
    for _ in range(100):
        loop.wake()
    for _ in range(20):
        await asyncio.sleep(0)
    assert steps.count == 2
    await end(task)


async def test_steps_go_on_without_events() -> None:
    steps = Steps(wait=0.001)
    task = asyncio.create_task(Wakeful(steps).run())
    for _ in range(3):
        await steps.taken.wait()
        steps.taken.clear()
    await end(task)


async def test_an_end_that_meets_an_event_is_an_end() -> None:
    steps = Steps(wait=3600)
    loop = Wakeful(steps)
    task = asyncio.create_task(loop.run())
    await steps.taken.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    loop.wake()
    task.cancel()
    async with asyncio.timeout(30):
        await end(task)
    assert task.cancelled()
