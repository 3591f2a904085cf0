"""A sink that takes its time, or never answers: the others go on without it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from statusfleet.publishers.rfc2136 import Rfc2136Sink, UpdateSettings
from statusfleet.publishers.sink import Target
from statusfleet.reconcile import places
from statusfleet.reconcile.publishing import TreeKeeper
from statusfleet.reconcile.showing import TreeState
from statusfleet.store import FolderStore
from statusnode.records.tree import SignedTree
from support.dns_servers import KEY_NAME, SECRET, ZONE, DnsServer, bind
from support.fake_sinks import DESIRED, URL, FakeSink, records
from support.published_fleet import walked
from support.records import TREE_KEY

PATIENCE_SECONDS = 60.0


class SlowSink(FakeSink):
    """Takes new entries only when the test says so."""

    def __init__(self, name: str) -> None:
        super().__init__(name, [])
        self.open = asyncio.Event()
        self.open.set()

    async def prepare(self, target: Target) -> None:
        await self.open.wait()
        await super().prepare(target)


class Passes:
    """Makes a pass after the other when it is told that something has ended, as an operator."""

    def __init__(self, keeper: TreeKeeper, ended: asyncio.Event) -> None:
        self.keeper = keeper
        self.ended = ended

    async def publish(self, nodes: range) -> TreeState:
        await self.keeper.recall()
        return await self.keeper.publish(DESIRED, records(nodes), TREE_KEY)

    async def until_propagated(self, nodes: range) -> TreeState:
        return await self.until(lambda state: bool(state.propagated), nodes)

    async def until(self, holds: Callable[[TreeState], bool], nodes: range) -> TreeState:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                self.ended.clear()
                state = await self.publish(nodes)
                if holds(state):
                    return state
                with suppress(TimeoutError):  # or it is time to try again
                    async with asyncio.timeout(0.5):
                        await self.ended.wait()


@pytest.fixture
def sinks() -> tuple[FakeSink, SlowSink]:
    return FakeSink("a", []), SlowSink("b")


@pytest.fixture
async def passes(
    tmp_path: Path, sinks: tuple[FakeSink, SlowSink], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Passes]:
    monkeypatch.setattr(places, "_PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(places, "_TOGETHER_SECONDS", 0.1)
    ended = asyncio.Event()
    store = FolderStore.open(tmp_path / "memory", "test")
    async with TreeKeeper(store, sinks, lambda: 1.7e9, ended=ended.set) as keeper:
        yield Passes(keeper, ended)
    store.close()


async def test_trees_go_on_at_a_sink_while_another_does_not_answer(
    passes: Passes, sinks: tuple[FakeSink, SlowSink]
) -> None:
    a, b = sinks
    await passes.until_propagated(range(3))
    b.open.clear()
    for change in range(2, 9):
        nodes = range(change, change + 3)
        state = await passes.until(lambda state: "a" in state.shown_by, nodes)
        assert SignedTree.parse(URL, a.texts).seq == state.seq == change
        assert (state.published, state.lacked_by) == (False, ("b",))
        assert "b: not done yet" in state.problem
    assert SignedTree.parse(URL, b.texts).seq == 1
    b.open.set()
    state = await passes.until_propagated(range(8, 11))
    assert state.seq == 8
    assert SignedTree.parse(URL, b.texts) == SignedTree.parse(URL, a.texts)
    assert state.problem == ""


async def test_a_sink_that_is_busy_is_left_before_its_tree_is_taken_back(
    passes: Passes, sinks: tuple[FakeSink, SlowSink]
) -> None:
    a, b = sinks
    await passes.until_propagated(range(3))
    b.open.clear()
    await passes.publish(range(4))
    await passes.keeper.unpublish()
    b.open.set()
    await asyncio.sleep(0)
    assert a.texts == b.texts == {}


async def test_the_root_moves_at_one_server_while_another_is_dark(tmp_path: Path) -> None:
    def sink(server: DnsServer) -> Rfc2136Sink:
        settings = UpdateSettings(server.address, ZONE, KEY_NAME, "hmac-sha256", SECRET)
        return Rfc2136Sink(settings)

    for name in ("live", "dark", "memory"):
        (tmp_path / name).mkdir()
    with bind(tmp_path / "live") as live, bind(tmp_path / "dark") as dark:
        ended = asyncio.Event()
        store = FolderStore.open(tmp_path / "memory", "test")
        both, loop = (sink(live), sink(dark)), asyncio.get_running_loop()
        async with TreeKeeper(store, both, loop.time, ended=ended.set) as keeper:
            passes = Passes(keeper, ended)
            await passes.until_propagated(range(5))
            with dark.silent():
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while await walked(live) != 9:
                        await passes.publish(range(9))
            await passes.until_propagated(range(9))
            assert await walked(dark) == 9
        store.close()
