"""Dialing members back: what is proved of which address and from where."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from statusfleet.plan import MemberId, ObservedMember
from statusfleet.reconcile.reachable import DialBack, Target
from statusfleet.worlds.protocol import Vantage
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enode import Enode

KEY = PrivateKey(b"\x11" * 32)
SOMEBODY = Enode(KEY.public_key, "127.0.0.1", 30303, 0)
ELSEWHERE = Enode(KEY.public_key, "127.0.0.1", 30304, 0)


class Doors:
    """Answers dials as the test says; counts them."""

    def __init__(self) -> None:
        self.problem = ""
        self.knocks: list[Enode] = []
        self.knocked = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, enode: Enode) -> str:
        self.knocks.append(enode)
        self.knocked.set()
        await self.open.wait()
        return self.problem

    async def has_heard(self, count: int) -> None:
        while len(self.knocks) < count:
            self.knocked.clear()
            await self.knocked.wait()


class Dialing:
    """A DialBack that runs; members on a node are dialed from there."""

    def __init__(self, doors: Doors, *, required: bool = True) -> None:
        self.doors, self.there = doors, Doors()
        self.time = 0.0
        self.changed = asyncio.Event()
        self.subject = DialBack(
            Vantage("a test", doors),
            lambda: self.time,
            self.changed.set,
            required=required,
            elsewhere=self._elsewhere,
        )

    def _elsewhere(self, member: ObservedMember) -> Vantage | None:
        return Vantage(member.node, self.there, repeat_seconds=1e6) if member.node else None

    def target(self, enode: Enode, node: str = "") -> Target:
        return self.subject.target(enode, ObservedMember(MemberId("relayer", 0), node=node))

    def want(self, enode: Enode, node: str = "", name: str = "relayer-0") -> None:
        self.subject.want({name: self.target(enode, node)})

    async def told(self) -> None:
        await self.changed.wait()
        self.changed.clear()


@asynccontextmanager
async def dialing(doors: Doors, *, required: bool = True) -> AsyncIterator[Dialing]:
    found = Dialing(doors, required=required)
    task = asyncio.create_task(found.subject.run())
    try:
        yield found
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_an_address_is_proved_by_a_dial() -> None:
    async with dialing(Doors()) as one:
        one.want(SOMEBODY)
        assert not one.subject.proved("relayer-0", SOMEBODY)
        assert one.subject.pending() == ("relayer-0",)
        await one.told()
        assert one.subject.proved("relayer-0", SOMEBODY)
        assert (one.subject.pending(), one.subject.problems()) == ((), {})


async def test_a_proof_is_of_one_address() -> None:
    async with dialing(Doors()) as one:
        one.want(SOMEBODY)
        await one.told()
        one.want(ELSEWHERE)
        assert not one.subject.proved("relayer-0", ELSEWHERE)
        await one.told()
        assert one.subject.proved("relayer-0", ELSEWHERE)


async def test_what_is_in_the_way_is_told() -> None:
    doors = Doors()
    doors.problem = "connection refused"
    async with dialing(doors) as one:
        one.want(SOMEBODY)
        await one.told()
        assert not one.subject.proved("relayer-0", SOMEBODY)
        assert one.subject.problems() == {"relayer-0": "connection refused"}


async def test_where_no_proof_is_required_everybody_may_be_published() -> None:
    async with dialing(Doors(), required=False) as one:
        assert one.subject.proved("relayer-0", SOMEBODY)


async def test_members_that_are_not_wanted_are_not_dialed() -> None:
    doors = Doors()
    async with dialing(doors) as one:
        one.want(SOMEBODY)
        await one.told()
        one.subject.want({})
        assert (one.subject.pending(), one.subject.problems()) == ((), {})
        assert len(doors.knocks) == 1


async def test_a_member_that_comes_back_needs_no_new_proof_of_its_address() -> None:
    async with dialing(Doors()) as one:
        one.want(SOMEBODY)
        await one.told()
        one.subject.want({}, resting=["relayer-0", "relayer-1"])
        assert not one.subject.proved("relayer-0", SOMEBODY)
        one.want(SOMEBODY)
        assert one.subject.proved("relayer-0", SOMEBODY)
        one.subject.rest()
        assert one.subject.pending() == ()
        one.want(ELSEWHERE)
        assert one.subject.pending() == ("relayer-0",)


async def test_a_member_elsewhere_is_dialed_from_there_alone() -> None:
    async with dialing(Doors()) as one:
        one.want(SOMEBODY, "node-2")
        await one.told()
        assert (one.doors.knocks, one.there.knocks) == ([], [SOMEBODY])
        assert one.subject.proved("relayer-0", SOMEBODY)
        assert {n: v.name for n, v in one.subject.elsewhere().items()} == {"relayer-0": "node-2"}


async def test_a_member_that_moved_is_dialed_again_and_its_address_stays_proved() -> None:
    async with dialing(Doors()) as one:
        one.want(SOMEBODY, "node-2")
        await one.told()
        one.there.problem = "no route"
        one.want(SOMEBODY, "node-2")  # the same again is no reason to dial
        one.want(SOMEBODY, "node-1")
        await one.told()
        assert one.there.knocks == [SOMEBODY, SOMEBODY]
        assert one.subject.proved("relayer-0", SOMEBODY)
        assert one.subject.problems() == {"relayer-0": "no route"}


async def test_a_slow_dial_elsewhere_keeps_nobody_waiting() -> None:
    async with dialing(Doors()) as one:
        one.there.open.clear()
        there, here = one.target(SOMEBODY, "node-2"), one.target(ELSEWHERE)
        one.subject.want({"relayer-0": there, "relayer-1": here})
        await one.told()
        assert one.subject.proved("relayer-1", ELSEWHERE)
        assert one.subject.pending() == ("relayer-0",)
        one.there.open.set()
        await one.told()
        assert one.subject.pending() == ()
        assert len(one.there.knocks) == 1


async def test_nobody_waits_for_a_member_that_was_dialed_in_vain_again_and_again() -> None:
    doors = Doors()
    doors.problem = "no route"
    async with dialing(doors) as one:

        async def dialed_again(others: Iterator[int]) -> frozenset[str]:
            one.time += 1000
            # That somebody else is wanted too has the times be looked at.
            wanted = {"relayer-0": SOMEBODY, f"relayer-{next(others)}": ELSEWHERE}
            one.subject.want({name: one.target(enode) for name, enode in wanted.items()})
            await one.told() if one.subject.pending() else None
            return one.subject.unreachable()

        numbers = itertools.count(1)
        assert await dialed_again(numbers) == frozenset()
        while not await dialed_again(numbers):
            assert len(doors.knocks) < 100
        assert one.subject.unreachable() == {"relayer-0"}
        doors.problem = ""
        while await dialed_again(numbers):
            assert len(doors.knocks) < 100
        assert one.subject.proved("relayer-0", SOMEBODY)


async def test_a_new_address_does_not_wait_for_all_members_that_do_not_answer() -> None:
    doors = Doors()
    doors.problem = "no answer"
    async with dialing(doors) as one:
        dark = {f"relayer-{n}": one.target(replace(SOMEBODY, tcp=n + 1)) for n in range(100)}
        one.subject.want(dark)
        while one.subject.pending():
            await one.told()
        doors.open.clear()
        one.time += 1000  # all are due again
        one.subject.want({**dark, "relayer-0": one.target(replace(SOMEBODY, tcp=20_000))})
        await doors.has_heard(101)
        one.subject.want({**dark, "relayer-0": one.target(ELSEWHERE)})
        doors.open.set()
        await doors.has_heard(200)
    assert doors.knocks.index(ELSEWHERE) < 100 + 2 * 16


async def test_members_that_fail_together_are_told_of_together() -> None:
    doors, told = Doors(), 0
    doors.problem = "no answer"
    async with dialing(doors) as one:
        wanted = {f"relayer-{n}": one.target(replace(SOMEBODY, tcp=n + 1)) for n in range(16)}
        one.subject.want(wanted)
        while len(one.subject.unreachable()) < len(wanted):
            with suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await one.told()
                    told += 1
            one.time += 7  # some of them would be due alone, were they not all at once
            one.subject.want({**wanted, f"relayer-{one.time}": one.target(ELSEWHERE)})
            await doors.has_heard(len(doors.knocks) + 1)
    assert told < len(wanted)
