"""How dials of many fleets are spread: in time, and in number."""

from __future__ import annotations

import asyncio

from statusfleet.reconcile.pace import DialPace


async def test_dials_of_all_fleets_together_are_spread_in_time() -> None:
    pace, moments = DialPace(most_a_second=400), list[float]()
    loop = asyncio.get_running_loop()

    async def dial() -> None:
        await pace.dial()
        moments.append(loop.time())

    async with asyncio.TaskGroup() as group:
        for _ in range(100):
            group.create_task(dial())
    # However late this process wakes up, what it may make up for is less than half of them.
    assert moments[-1] - moments[0] >= (100 - 1) / 400 - 0.05 - 0.001


async def test_only_so_many_fleets_are_dialed_at_a_time() -> None:
    pace, inside, most = DialPace(most_fleets=2), 0, 0

    async def fleet() -> None:
        nonlocal inside, most
        async with pace.fleet():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(9):
            group.create_task(fleet())
    assert most == 2
