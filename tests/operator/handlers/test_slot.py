"""Turns of fleets: who waits for others gives its turn back, and chores come last."""

from __future__ import annotations

import asyncio

import pytest

from statusfleet.handlers.slot import Slot, Slots


async def are_free(slots: Slots, turns: int) -> bool:
    """Tell whether so many turns, and no more, are free."""
    taken = [Slot(slots) for _ in range(turns)]
    async with asyncio.timeout(5):
        for slot in taken:
            await slots.take(slot)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await slots.take(Slot(slots))
    for slot in taken:
        slots.give_back(slot)
    return True


async def test_a_fleet_that_waits_keeps_nobody_out() -> None:
    slots, said, answer = Slots(1), list[str](), asyncio.Event()

    async def slow() -> None:
        slot = Slot(slots)
        async with slot.turn():
            said.append("slow asks")
            async with slot.waiting():
                await answer.wait()
            said.append("slow goes on")

    async def quick() -> None:
        async with Slot(slots).turn():
            said.append("quick begins")
            answer.set()
            await asyncio.sleep(0)
            said.append("quick ends")

    async with asyncio.TaskGroup() as group:
        group.create_task(slow())
        group.create_task(quick())
    assert said == ["slow asks", "quick begins", "quick ends", "slow goes on"]
    assert await are_free(slots, 1)


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("chore", [False, True])
async def test_an_end_at_any_moment_leaves_all_turns(others: int, *, chore: bool) -> None:
    slots, other = Slots(1), Slot(Slots(1))
    asked = asyncio.Event()

    async def fleet() -> None:
        slot = Slot(slots)
        async with slot.turn(chore=chore), slot.waiting():
            asked.set()
            await asyncio.sleep(0 if others else 3600)

    task = asyncio.create_task(fleet())
    await asked.wait()
    for _ in range(others):  # somebody else has the turn that it wants back
        await slots.take(other)
    await asyncio.sleep(0.01)
    task.cancel()
    for _ in range(others):  # a turn and the end come at the same moment
        slots.give_back(other)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await are_free(slots, 1)


async def test_the_waiting_room_has_its_end() -> None:
    slots, inside, most = Slots(9, room=2), 0, 0

    async def fleet() -> None:
        nonlocal inside, most
        slot = Slot(slots)
        async with slot.turn(), slot.waiting():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(9):
            group.create_task(fleet())
    assert most == 2


async def test_an_awaited_look_waits_for_no_chores() -> None:
    slots, gate, begun = Slots(8), asyncio.Event(), list[str]()

    async def look(name: str, *, chore: bool) -> None:
        async with Slot(slots).turn(chore=chore):
            begun.append(name)
            await gate.wait()

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(look(f"chore {number}", chore=True))
        await asyncio.sleep(0)
        for number in range(20):
            group.create_task(look(f"edit {number}", chore=False))
        await asyncio.sleep(0.01)
        assert begun == ["chore 0", "chore 1", *(f"edit {number}" for number in range(6))]
        gate.set()
    assert len(begun) == 40
    assert await are_free(slots, 8)


async def test_a_chore_has_its_turn_however_much_is_awaited() -> None:
    slots, begun = Slots(8), list[str]()
    edits = [Slot(slots) for _ in range(8)]
    for slot in edits:
        await slots.take(slot)

    async def look(name: str, *, chore: bool) -> None:
        async with Slot(slots).turn(chore=chore):
            begun.append(name)
            await asyncio.sleep(0.001)

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(look(f"edit {number}", chore=False))
        group.create_task(look("chore", chore=True))
        await asyncio.sleep(0)
        slots.give_back(edits.pop())
        await asyncio.sleep(0)
        assert begun == ["chore"]
        for slot in edits:
            slots.give_back(slot)
    assert len(begun) == 21


async def test_an_edit_hurries_the_chore_of_its_fleet() -> None:
    slots, gate, begun = Slots(4), asyncio.Event(), list[int]()
    fleets = [Slot(slots) for _ in range(9)]

    async def look(number: int) -> None:
        async with fleets[number].turn(chore=True):
            begun.append(number)
            await gate.wait()

    async with asyncio.TaskGroup() as group:
        for number in range(9):
            group.create_task(look(number))
        await asyncio.sleep(0.01)
        assert begun == [0]
        fleets[7].hurry()
        fleets[0].hurry()  # it has its turn, and stays a chore
        await asyncio.sleep(0.01)
        assert begun == [0, 7]
        gate.set()
    assert sorted(begun) == list(range(9))
    assert await are_free(slots, 4)
