"""Turns of fleets: who waits for others gives its turn back, and takes the next one."""

from __future__ import annotations

import asyncio

import pytest

from statusfleet.handlers.slot import Slot, Slots


async def test_a_fleet_that_waits_keeps_nobody_out() -> None:
    slots, said, answer = Slots(1), list[str](), asyncio.Event()

    async def slow() -> None:
        slot = Slot(slots)
        async with slot:
            said.append("slow asks")
            async with slot.waiting():
                await answer.wait()
            said.append("slow goes on")

    async def quick() -> None:
        async with Slot(slots):
            said.append("quick begins")
            answer.set()
            await asyncio.sleep(0)
            said.append("quick ends")

    async with asyncio.TaskGroup() as group:
        group.create_task(slow())
        group.create_task(quick())
    assert said == ["slow asks", "quick begins", "quick ends", "slow goes on"]
    assert not slots.turns.locked()


@pytest.mark.parametrize("others", [0, 1])
async def test_an_end_at_any_moment_leaves_all_turns(others: int) -> None:
    slots = Slots(1)
    asked = asyncio.Event()

    async def fleet() -> None:
        slot = Slot(slots)
        async with slot, slot.waiting():
            asked.set()
            await asyncio.sleep(0 if others else 3600)

    task = asyncio.create_task(fleet())
    await asked.wait()
    for _ in range(others):  # somebody else has the turn that it wants back
        await slots.turns.acquire()
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(others):
        slots.turns.release()
    async with asyncio.timeout(5), Slot(slots):
        assert slots.turns.locked()
    assert not slots.turns.locked()


async def test_the_waiting_room_has_its_end() -> None:
    slots, inside, most = Slots(9, room=2), 0, 0

    async def fleet() -> None:
        nonlocal inside, most
        slot = Slot(slots)
        async with slot, slot.waiting():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(9):
            group.create_task(fleet())
    assert most == 2
