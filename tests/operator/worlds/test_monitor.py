"""Watching members: when they are asked, what is told of them, which numbers are read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from statusfleet.worlds.processes.exposition import totals
from statusfleet.worlds.processes.monitor import Monitor
from statusfleet.worlds.processes.ports import HOST
from statusfleet.worlds.processes.probe import SILENT, Health, ask
from support.fleet_time import run_virtual

PAGE = """\
# HELP p2p_peers_absolute Peers
p2p_peers_absolute 3
waku_envelopes_received_total{dialect="waku/0"} 40
waku_envelopes_received_total{dialect="waku/1",note="a } b"} 2
waku_envelopes_received_total NaN
unknown_total 9
cut_short
"""


def test_samples_of_one_metric_are_added_and_the_rest_is_left_alone() -> None:
    found = totals(PAGE, ["p2p_peers_absolute", "waku_envelopes_received_total", "absent"])
    assert found == {"p2p_peers_absolute": 3, "waku_envelopes_received_total": 42}


@given(st.text(max_size=200))
def test_no_page_is_too_strange_to_be_read(page: str) -> None:
    assert set(totals(page + "\nup 1", ["up"])) == {"up"}


class Member:
    """Answers as told and remembers when it was asked."""

    def __init__(self) -> None:
        self.health = SILENT
        self.asked: list[float] = []
        self.changes = 0
        self.moves = 0

    async def ask(self, port: int) -> Health:
        self.asked.append(asyncio.get_running_loop().time())
        return self.health

    def monitor(self) -> Monitor:
        loop = asyncio.get_running_loop()
        return Monitor(self.ask, loop.time, self._changed, self._moved)

    def _changed(self) -> None:
        self.changes += 1

    def _moved(self) -> None:
        self.moves += 1


def test_a_member_is_asked_often_until_it_is_ready_and_then_once_a_second() -> None:
    async def scenario() -> None:
        member = Member()
        async with member.monitor() as monitor:
            monitor.watch("relayer-0", 100, 9305)
            await asyncio.sleep(2)
            starting = len(member.asked)
            assert 5 < starting < 15
            member.health = Health(ready=True, peers=2)
            await asyncio.sleep(1)
            found = monitor.get("relayer-0")
            assert found is not None
            assert found.health.ready
            assert found.ever_ready
            assert member.changes == 1
            before = len(member.asked)
            await asyncio.sleep(10)
            assert len(member.asked) - before == 10

    run_virtual(scenario())


def test_numbers_alone_are_told_apart_from_readiness() -> None:
    async def scenario() -> None:
        member = Member()
        member.health = Health(ready=True)
        async with member.monitor() as monitor:
            monitor.watch("relayer-0", 100, 9305)
            await asyncio.sleep(0.5)
            member.health = Health(ready=True, peers=5)
            await asyncio.sleep(2)
            assert (member.changes, member.moves) == (1, 1)
            member.health = SILENT
            await asyncio.sleep(2)
            found = monitor.get("relayer-0")
            assert found is not None
            assert not found.health.ready
            assert found.since == 3.0
            assert found.ever_ready

    run_virtual(scenario())


def test_a_new_process_of_a_member_begins_anew_and_a_forgotten_one_is_unknown() -> None:
    async def scenario() -> None:
        member = Member()
        member.health = Health(ready=True)
        async with member.monitor() as monitor:
            monitor.watch("relayer-0", 100, 9305)
            await asyncio.sleep(1)
            member.health = SILENT
            monitor.watch("relayer-0", 101, 9305)
            found = monitor.get("relayer-0")
            assert found is not None
            assert (found.pid, found.ever_ready) == (101, False)
            monitor.forget("relayer-0")
            assert monitor.get("relayer-0") is None
            asked = len(member.asked)
            await asyncio.sleep(10)
            assert len(member.asked) == asked

    run_virtual(scenario())


@pytest.fixture
async def served() -> AsyncIterator[tuple[dict[str, int], int]]:
    """A page of metrics and a readiness that the test sets, on a free port."""
    status = {"ready": 503}

    async def ready(request: web.Request) -> web.Response:
        return web.Response(status=status["ready"], text="no peer yet\narchive closed\n")

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(text=PAGE)

    app = web.Application()
    app.router.add_get("/ready", ready)
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    port = runner.addresses[0][1]
    yield status, port
    await runner.cleanup()


async def test_a_member_tells_whether_it_is_ready_and_why_not(
    served: tuple[dict[str, int], int],
) -> None:
    status, port = served
    async with aiohttp.ClientSession() as session:
        found = await ask(session, port)
        assert found == Health(False, "no peer yet; archive closed", peers=3, envelopes=42)
        status["ready"] = 200
        assert await ask(session, port) == Health(True, "", peers=3, envelopes=42)


async def test_nobody_at_the_port_is_silence() -> None:
    async with aiohttp.ClientSession() as session:
        assert await ask(session, 1) == SILENT
