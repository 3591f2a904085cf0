"""Leadership, in virtual time against a Lease in memory that swaps as the API server does."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from typing import Any, cast

import pytest

from statusfleet.kube import (
    AlreadyExistsError,
    ConflictError,
    KubeClient,
    Leadership,
    LeadershipLostError,
    LeaseTimes,
    NotFoundError,
    TransientError,
)


class LeaseServer:
    """In the place of a client: one Lease, and what a broken network does."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.failure: Exception | None = None
        self.on_read: Callable[[], None] = lambda: None

    def _alive(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def get(self, *_: object) -> dict[str, Any]:
        self._alive()
        if self.lease is None:
            raise NotFoundError("get Lease", "none")
        found = copy.deepcopy(self.lease)
        self.on_read()
        return found

    async def create(self, body: dict[str, Any]) -> dict[str, Any]:
        self._alive()
        if self.lease is not None:
            raise AlreadyExistsError("create Lease", "there is one")
        return self._store(body, 1)

    async def replace(self, body: dict[str, Any]) -> dict[str, Any]:
        self._alive()
        assert self.lease is not None
        version = int(self.lease["metadata"]["resourceVersion"])
        if body["metadata"]["resourceVersion"] != str(version):
            raise ConflictError("replace Lease", "changed")
        return self._store(body, version + 1)

    def _store(self, body: dict[str, Any], version: int) -> dict[str, Any]:
        self.lease = copy.deepcopy(body)
        self.lease["metadata"]["resourceVersion"] = str(version)
        return self.lease

    @property
    def holder(self) -> str:
        assert self.lease is not None
        return str(self.lease["spec"]["holderIdentity"])


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Candidate:
    """One process's part, a step at a time: what `acquire` and `keep` do between their sleeps."""

    def __init__(self, server: LeaseServer, clock: Clock, name: str) -> None:
        self.part = Leadership(cast("KubeClient", server), "system", name, clock=clock)

    async def tries(self) -> bool:
        return await self.part._try("taken")


@pytest.fixture
def server() -> LeaseServer:
    return LeaseServer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_the_first_takes_it_and_the_second_waits(server: LeaseServer, clock: Clock) -> None:
    first, second = (Candidate(server, clock, name) for name in "ab")
    assert await first.tries()
    assert not await second.tries()
    assert (first.part.leads, second.part.leads, server.holder) == (True, False, "a")
    assert server.lease is not None
    assert server.lease["spec"]["leaseDurationSeconds"] == 15


async def test_a_lease_that_is_renewed_is_never_taken(server: LeaseServer, clock: Clock) -> None:
    first, second = (Candidate(server, clock, name) for name in "ab")
    for _ in range(30):
        assert await first.tries()
        assert not await second.tries()
        clock.now += 2


async def test_a_lease_is_taken_after_its_time_by_the_watcher_s_own_clock(
    server: LeaseServer, clock: Clock
) -> None:
    first, second = (Candidate(server, clock, name) for name in "ab")
    assert await first.tries()
    clock.now += 100
    # Old as it is, this one sees it for the first time.
    assert not await second.tries()
    clock.now += 14.9
    assert not await second.tries()
    clock.now += 0.1
    assert await second.tries()
    assert not await first.tries()
    assert server.lease is not None
    assert server.lease["spec"]["leaseTransitions"] == 1


async def test_of_two_who_take_it_at_once_one_wins(server: LeaseServer, clock: Clock) -> None:
    first, second, third = (Candidate(server, clock, name) for name in "abc")
    await first.tries()
    await asyncio.gather(second.tries(), third.tries())
    clock.now += 15
    took = await asyncio.gather(second.tries(), third.tries())
    assert sorted(took) == [False, True]
    assert [second.part.leads, third.part.leads] == took


async def test_a_leader_that_slept_leads_no_more_before_anything_is_sent(
    server: LeaseServer, clock: Clock
) -> None:
    first = Candidate(server, clock, "a")
    assert await first.tries()
    clock.now += 9.9
    assert first.part.leads
    clock.now += 0.1
    assert not first.part.leads


async def test_a_leader_without_the_server_ends_before_another_begins(
    server: LeaseServer, clock: Clock
) -> None:
    first = Candidate(server, clock, "a")
    assert await first.tries()
    server.failure = TransientError("get Lease", "no answer in time")
    for _ in range(4):
        clock.now += 2
        assert not await first.tries()
        assert first.part.leads
    clock.now += 2
    assert not first.part.leads


async def test_renewal_counts_from_when_it_was_asked_for(server: LeaseServer, clock: Clock) -> None:
    first = Candidate(server, clock, "a")

    def slow() -> None:
        clock.now += 4

    await first.tries()
    server.on_read = slow
    assert await first.tries()
    clock.now += 5.9
    assert first.part.leads
    clock.now += 0.2
    assert not first.part.leads


async def test_a_released_lease_is_taken_soon(server: LeaseServer, clock: Clock) -> None:
    first, second = (Candidate(server, clock, name) for name in "ab")
    await first.tries()
    await second.tries()
    await first.part.release()
    assert not first.part.leads
    assert await second.tries()
    await first.part.release()
    assert server.holder == "b"


async def test_to_keep_ends_when_another_holds_it(server: LeaseServer) -> None:
    times = LeaseTimes(duration=0.3, renew_deadline=0.2, retry=0.01)
    part = Leadership(cast("KubeClient", server), "system", "a", times=times)
    async with asyncio.timeout(30):
        await part.acquire()
        keeping = asyncio.create_task(part.keep())
        await asyncio.sleep(0.05)
        assert server.lease is not None
        assert not keeping.done()
        server.lease["spec"]["holderIdentity"] = "b"
        server.lease["metadata"]["resourceVersion"] += "0"
        with pytest.raises(LeadershipLostError, match="system/statusfleet"):
            await keeping
    assert not part.leads


async def test_to_keep_ends_when_the_server_is_gone(server: LeaseServer) -> None:
    times = LeaseTimes(duration=0.3, renew_deadline=0.2, retry=0.01)
    part = Leadership(cast("KubeClient", server), "system", "a", times=times)
    async with asyncio.timeout(30):
        await part.acquire()
        server.failure = TransientError("get Lease", "gone")
        with pytest.raises(LeadershipLostError):
            await part.keep()
