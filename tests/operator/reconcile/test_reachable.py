"""Dialing members back: what is proved of which address, and that the key counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from statusfleet.reconcile.reachable import DialBack, knocker
from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.server import Server, ServerConfig
from statusnode.records.enode import Enode

KEY = PrivateKey(b"\x11" * 32)
SOMEBODY = Enode(KEY.public_key, "127.0.0.1", 30303, 0)
ELSEWHERE = Enode(KEY.public_key, "127.0.0.1", 30304, 0)


class Doors:
    """Answers dials as the test says; counts them."""

    def __init__(self) -> None:
        self.problem = ""
        self.knocks: list[Enode] = []

    async def __call__(self, enode: Enode) -> str:
        self.knocks.append(enode)
        return self.problem


@asynccontextmanager
async def dialing(doors: Doors, **settings: bool) -> AsyncIterator[tuple[DialBack, asyncio.Event]]:
    changed = asyncio.Event()
    subject = DialBack("a test", lambda: 0.0, changed.set, knock=doors, **settings)
    task = asyncio.create_task(subject.run())
    try:
        yield subject, changed
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_an_address_is_proved_by_a_dial() -> None:
    async with dialing(Doors()) as (subject, changed):
        subject.want({"relayer-0": SOMEBODY})
        assert not subject.proved("relayer-0", SOMEBODY)
        assert subject.pending() == ("relayer-0",)
        await changed.wait()
        assert subject.proved("relayer-0", SOMEBODY)
        assert (subject.pending(), subject.problems()) == ((), {})


async def test_a_proof_is_of_one_address() -> None:
    async with dialing(Doors()) as (subject, changed):
        subject.want({"relayer-0": SOMEBODY})
        await changed.wait()
        changed.clear()
        subject.want({"relayer-0": ELSEWHERE})
        assert not subject.proved("relayer-0", ELSEWHERE)
        await changed.wait()
        assert subject.proved("relayer-0", ELSEWHERE)


async def test_what_is_in_the_way_is_told() -> None:
    doors = Doors()
    doors.problem = "connection refused"
    async with dialing(doors) as (subject, changed):
        subject.want({"relayer-0": SOMEBODY})
        await changed.wait()
        assert not subject.proved("relayer-0", SOMEBODY)
        assert subject.problems() == {"relayer-0": "connection refused"}


async def test_where_no_proof_is_required_everybody_may_be_published() -> None:
    async with dialing(Doors(), required=False) as (subject, _):
        assert subject.proved("relayer-0", SOMEBODY)


async def test_members_that_are_not_wanted_are_not_dialed() -> None:
    doors = Doors()
    async with dialing(doors) as (subject, changed):
        subject.want({"relayer-0": SOMEBODY})
        await changed.wait()
        subject.want({})
        assert (subject.pending(), subject.problems()) == ((), {})
        assert len(doors.knocks) == 1


@asynccontextmanager
async def node(key: PrivateKey) -> AsyncIterator[int]:
    server = Server(ServerConfig("a node", "127.0.0.1:0"), key, [])
    await server.start()
    try:
        yield server.self_enode.tcp
    finally:
        await server.stop()


async def test_a_node_is_reached_though_it_has_nothing_to_say_to_us() -> None:
    async with node(KEY) as port:
        knock = knocker(PrivateKey.generate())
        assert await knock(Enode(KEY.public_key, "127.0.0.1", port, 0)) == ""


async def test_another_node_at_the_address_does_not_count() -> None:
    async with node(PrivateKey(b"\x12" * 32)) as port:
        knock = knocker(PrivateKey.generate())
        assert await knock(Enode(KEY.public_key, "127.0.0.1", port, 0)) != ""


async def test_a_closed_port_is_told() -> None:
    async with node(KEY) as port:
        pass
    found = await knocker(PrivateKey.generate())(Enode(KEY.public_key, "127.0.0.1", port, 0))
    assert "no connection" in found
