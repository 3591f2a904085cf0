"""A tree goes to several sinks: in one order, each with its own luck, and never half of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from statusfleet.publishers.sink import (
    LaggingError,
    SeenTree,
    SinkError,
)
from statusfleet.reconcile.publishing import TreeKeeper
from statusfleet.reconcile.showing import TreeState
from statusfleet.store import FolderStore
from statusnode.crypto.keys import PrivateKey
from statusnode.records.tree import SignedTree, TreeError
from support.fake_sinks import DESIRED, URL, FakeSink, records, signed
from support.records import DOMAIN, TREE_KEY

HOURS = 3600.0


class KilledError(Exception):
    """The operator ends at this moment."""


class Scene:
    """A keeper over two sinks and a real memory, with a clock that the test moves."""

    def __init__(self, folder: Path) -> None:
        self.store = FolderStore.open(folder, "test")
        self.log: list[str] = []
        self.a, self.b = FakeSink("a", self.log), FakeSink("b", self.log)
        self.time = 1_700_000_000.0
        self.restart()

    def restart(self) -> None:
        self.keeper = TreeKeeper(self.store, (self.a, self.b), lambda: self.time)

    async def publish(self, nodes: range, key: PrivateKey = TREE_KEY) -> TreeState:
        await self.keeper.recall()
        return await self.keeper.publish(DESIRED, records(nodes), key)


def progress(state: TreeState) -> dict[str, tuple[str, int]]:
    return {sink.name: (sink.progress, sink.seq) for sink in state.sinks}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    result = Scene(tmp_path / "data")
    yield result
    result.store.close()


async def test_every_sink_has_the_entries_before_any_root_moves(scene: Scene) -> None:
    state = await scene.publish(range(3))
    assert (state.seq, state.published, state.propagated, state.problem) == (1, True, True, "")
    assert progress(state) == {"a": ("Published", 1), "b": ("Published", 1)}
    calls = [call.split()[1] for call in scene.log]
    steps = ["root", "prepare", "move", "tidy", "read_back"]
    assert calls[:4] == ["root", "root", "prepare", "prepare"]
    for name in "ab":
        assert [c.split()[1] for c in scene.log if c.startswith(name)] == steps


async def test_what_is_asked_of_sinks_is_asked_beside_the_turns_of_others(scene: Scene) -> None:
    @asynccontextmanager
    async def waiting() -> AsyncIterator[None]:
        scene.log.append("begin")
        yield
        scene.log.append("end")

    scene.keeper = TreeKeeper(scene.store, (scene.a, scene.b), lambda: scene.time, waiting=waiting)
    await scene.publish(range(3))
    await scene.keeper.unpublish()
    depth = 0
    for line in scene.log:
        depth += {"begin": 1, "end": -1}.get(line, 0)
        assert depth == 1 or line == "end"
    assert depth == 0


async def test_a_pass_over_what_is_published_asks_and_writes_nothing(scene: Scene) -> None:
    await scene.publish(range(3))
    scene.log.clear()
    state = await scene.publish(range(3))
    assert (state.published, state.propagated, scene.log) == (True, True, [])


async def test_a_sink_that_fails_keeps_its_old_tree_and_holds_up_nobody_else(scene: Scene) -> None:
    await scene.publish(range(3))
    old = scene.keeper.serving
    scene.b.refuses["prepare"] = SinkError("it does not answer")
    state = await scene.publish(range(5))
    again = "tried again after 2 s"
    assert (state.published, state.problem) == (False, f"b: it does not answer; {again}")
    assert progress(state) == {"a": ("Published", 2), "b": ("Failed", 1)}
    assert SignedTree.parse(URL, scene.b.texts) == signed(range(3), 1)
    assert scene.keeper.serving is old
    del scene.b.refuses["prepare"]
    state = await scene.publish(range(5))
    assert progress(state) == {"a": ("Published", 2), "b": ("Published", 2)}
    assert (state.published, state.propagated) == (True, True)


async def test_a_sink_that_lags_is_being_published_to_and_has_not_failed(scene: Scene) -> None:
    scene.b.refuses["prepare"] = LaggingError("ns2 does not have it yet")
    state = await scene.publish(range(3))
    assert progress(state) == {"a": ("Published", 1), "b": ("Publishing", 0)}
    waits = []
    for _ in range(8):
        assert scene.keeper.retry_at is not None
        waits.append(scene.keeper.retry_at - scene.time)
        await scene.publish(range(3))  # too soon: an event, not the time
        scene.time = scene.keeper.retry_at
        await scene.publish(range(3))
    # Spread, since a server that fails fails all fleets that publish there.
    assert waits == [pytest.approx(n, rel=0.2) for n in (2, 4, 8, 16, 32, 60, 60, 60)]
    assert len({wait / n for wait, n in zip(waits, (2, 4, 8), strict=False)}) > 1
    await scene.publish(range(4))
    assert scene.keeper.retry_at == pytest.approx(scene.time + 2, abs=0.4)
    scene.b.refuses.clear()
    await scene.publish(range(4))
    assert scene.keeper.retry_at is None


async def test_a_time_to_try_again_does_not_outlive_its_tree(scene: Scene) -> None:
    scene.b.refuses["prepare"] = SinkError("it does not answer")
    await scene.publish(range(3))
    assert scene.keeper.retry_at is not None
    other = replace(DESIRED, domain="other.example.org")
    await scene.keeper.publish(other, None, TREE_KEY)  # the tree of before is withdrawn first
    assert scene.keeper.retry_at is None


@pytest.mark.parametrize("restarts", [False, True], ids=["one operator", "the next operator"])
async def test_readers_of_a_sink_that_was_away_for_long_find_all_that_their_root_leads_to(
    scene: Scene, *, restarts: bool
) -> None:
    await scene.publish(range(20))
    old = scene.b.texts[DOMAIN]
    scene.b.refuses["prepare"] = SinkError("it takes no updates")
    for hours in range(5):
        scene.time += HOURS
        await scene.publish(range(1 + hours, 21 + hours))
    if restarts:
        scene.restart()
    scene.b.refuses.clear()
    await scene.publish(range(5, 25))
    assert scene.b.texts[DOMAIN] != old
    # The entries of a root go when it was replaced two hours ago, not when it should have been.
    scene.time += 1.9 * HOURS
    await scene.publish(range(6, 26))
    SignedTree.parse(URL, {**scene.b.texts, DOMAIN: old})
    scene.time += HOURS
    await scene.publish(range(6, 26))
    with pytest.raises(TreeError):
        SignedTree.parse(URL, {**scene.b.texts, DOMAIN: old})
    assert scene.a.texts == scene.b.texts


async def test_a_sink_that_fails_for_hours_costs_the_memory_a_write_each_half_hour(
    scene: Scene,
) -> None:
    await scene.publish(range(3))
    scene.b.refuses["prepare"] = SinkError("it takes no updates")
    await scene.publish(range(5))
    until = []
    for _ in range(8 * 60):
        scene.time += 60.0
        await scene.publish(range(5))
        assert scene.keeper.publication is not None
        until.append(scene.keeper.publication.next_expiry)
    assert len(set(until)) <= 16


async def test_two_fleets_with_one_key_that_have_won_a_sink_each_do_not_outdo_each_other_for_ever(
    scene: Scene, tmp_path: Path
) -> None:
    other = Scene(tmp_path / "other")
    for kept_out, sink in ((scene.b, "b"), (other.a, "a")):
        kept_out.refuses["root"] = SinkError(f"{sink} is away")
    try:
        await scene.publish(range(3))
        other.b.texts, other.a.texts = scene.b.texts, scene.a.texts
        await other.publish(range(10, 13))
        scene.b.refuses.clear()
        other.a.refuses.clear()
        states = [
            await one.publish(nodes)
            for _ in range(3)
            for one, nodes in ((scene, range(3)), (other, range(10, 13)))
        ]
        assert {state.seq for state in states} == {1}
        assert [sink.progress for sink in states[-1].sinks] == ["Failed", "Published"]
        # Where the other's end makes way, its readers follow only a higher number.
        scene.a.texts.clear()
        assert (await other.publish(range(10, 13))).seq == 2
    finally:
        other.store.close()


async def test_a_memory_that_was_lost_goes_on_above_what_the_sinks_hold(scene: Scene) -> None:
    scene.a.texts = dict(signed(range(3), 41).records())
    scene.b.texts = dict(signed(range(3), 7).records())
    state = await scene.publish(range(4))
    assert (state.seq, state.propagated) == (42, True)
    assert (await scene.store.read()).tree.seq == 42


async def test_another_writer_with_our_key_is_outnumbered_and_not_overwritten_blindly(
    scene: Scene,
) -> None:
    await scene.publish(range(3))
    scene.a.texts |= signed(range(8), 5).records()
    state = await scene.publish(range(4))
    assert progress(state)["a"][0] == "Publishing"
    assert scene.a.texts[DOMAIN] == str(signed(range(8), 5).root)
    state = await scene.publish(range(4))
    assert (state.seq, state.published, state.propagated) == (6, True, True)


async def test_two_operators_that_have_the_same_keys_and_displace_each_other_are_told(
    scene: Scene, tmp_path: Path
) -> None:
    other = Scene(tmp_path / "other")
    other.a.texts, other.b.texts = scene.a.texts, scene.b.texts
    try:
        told = []
        for _ in range(4):
            for one, nodes in ((scene, range(4)), (other, range(3))):
                one.time += 601
                await one.publish(nodes)
                told.append((await one.publish(nodes)).rivalry)
        assert told[:3] == ["", "", ""]
        assert "the same keys takes this tree's place again and again at a, b" in told[-2]
        assert told[-1] == told[-2]
    finally:
        other.store.close()


async def test_a_tree_of_another_key_is_refused_and_never_overwritten(scene: Scene) -> None:
    foreign = signed(range(3), 3, PrivateKey(b"\x07" * 32))
    scene.b.name = "foreign"
    scene.b.texts = dict(foreign.records())
    state = await scene.publish(range(3))
    assert progress(state) == {"a": ("Published", 1), "foreign": ("Failed", 0)}
    assert "a tree of another key" in state.problem
    assert scene.b.texts == foreign.records()
    assert scene.keeper.behind
    # There is nothing of ours to be taken away, so nobody has to wait for it.
    states = {state.name: state.progress for state in await scene.keeper.unpublish()}
    assert states == {"a": "Pending", "foreign": "Pending"}
    assert scene.b.texts == foreign.records()


async def test_what_is_over_is_forgotten_only_when_every_sink_has_let_it_go(scene: Scene) -> None:
    await scene.publish(range(3))
    await scene.publish(range(2, 5))
    scene.time += 3 * HOURS
    scene.b.refuses["tidy"] = SinkError("it does not answer")
    await scene.publish(range(2, 5))
    publication = (await scene.store.read()).tree.publication
    assert publication is not None
    assert publication.retired
    scene.restart()
    del scene.b.refuses["tidy"]
    await scene.publish(range(2, 5))
    publication = (await scene.store.read()).tree.publication
    assert publication is not None
    assert not publication.retired
    assert scene.a.texts == scene.b.texts == signed(range(2, 5), 2).records()


async def test_nobody_knows_whom_a_sink_leads_to_that_cannot_be_looked_at(scene: Scene) -> None:
    await scene.publish(range(3))
    assert not scene.keeper.behind
    scene.restart()
    scene.b.refuses["root"] = SinkError("it does not answer")
    await scene.publish(range(2))
    assert scene.keeper.behind
    del scene.b.refuses["root"]
    await scene.publish(range(2))
    assert not scene.keeper.behind


async def test_what_was_deleted_by_hand_at_a_sink_comes_back(scene: Scene) -> None:
    await scene.publish(range(3))
    gone = next(name for name in scene.a.texts if name != DOMAIN)
    del scene.a.texts[gone]
    scene.time += 600
    state = await scene.publish(range(3))
    assert gone in scene.a.texts
    assert (state.seq, state.propagated) == (1, True)


async def test_a_sink_that_tells_of_a_strangers_change_is_mended_at_once(scene: Scene) -> None:
    await scene.publish(range(3))
    scene.a.texts.clear()
    scene.a.seen_touched = True
    state = await scene.publish(range(3))
    scene.a.seen_touched = False
    assert progress(state) == {"a": ("Published", 1), "b": ("Published", 1)}
    assert (state.published, state.propagated) == (True, True)
    SignedTree.parse(URL, scene.a.texts)


async def test_a_sink_that_is_added_gets_the_tree_and_one_that_stays_is_not_asked_again(
    scene: Scene,
) -> None:
    await scene.publish(range(3))
    scene.log.clear()
    third = FakeSink("c", scene.log)
    assert await scene.keeper.use((scene.a, third)) == (scene.b,)
    state = await scene.publish(range(3))
    assert progress(state) == {"a": ("Published", 1), "c": ("Published", 1)}
    assert all(call.startswith("c ") for call in scene.log)


async def test_unpublishing_empties_every_sink_and_names_the_one_that_fails(scene: Scene) -> None:
    await scene.publish(range(3))
    scene.b.refuses["withdraw"] = SinkError("it does not answer")
    states = {state.name: state.progress for state in await scene.keeper.unpublish()}
    assert states == {"a": "Pending", "b": "Failed"}
    del scene.b.refuses["withdraw"]
    states = {state.name: state.progress for state in await scene.keeper.unpublish()}
    assert set(states.values()) == {"Pending"}
    assert scene.a.texts == scene.b.texts == {}


@pytest.mark.parametrize("call", ["root", "prepare", "move", "tidy", "read_back"])
async def test_an_operator_that_is_killed_at_any_step_goes_on_where_it_was(
    scene: Scene, call: str
) -> None:
    await scene.publish(range(3))
    for change in range(4, 8):
        scene.restart()
        scene.b.refuses[call] = KilledError()
        with pytest.raises(KilledError):
            await scene.publish(range(change))
        assert (
            SignedTree.parse(URL, scene.a.texts).seq <= SignedTree.parse(URL, scene.b.texts).seq + 1
        )
        scene.b.refuses.clear()
        scene.restart()
        state = await scene.publish(range(change))
        assert (state.published, state.propagated) == (True, True)
        assert state.seq == change - 2
        assert SignedTree.parse(URL, scene.a.texts) == SignedTree.parse(URL, scene.b.texts)


async def test_a_sink_that_never_answers_a_reader_is_given_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("statusfleet.reconcile.place._READ_BACK_SECONDS", 0.01)

    async def silence(url: str) -> tuple[SeenTree, ...]:
        await asyncio.Event().wait()
        return ()

    scene.b.read_back = silence  # type: ignore[method-assign]
    state = await scene.publish(range(3))
    assert (state.published, state.propagated) == (True, False)
    assert "b: no whole tree within" in state.problem


async def test_another_time_to_live_is_brought_to_the_sinks_under_the_same_number(
    scene: Scene,
) -> None:
    await scene.publish(range(3))
    scene.log.clear()
    longer = replace(DESIRED, entries_ttl_seconds=7200)
    state = await scene.keeper.publish(longer, records(range(3)), TREE_KEY)
    assert (state.seq, state.published) == (1, True)
    assert "a prepare" in scene.log
