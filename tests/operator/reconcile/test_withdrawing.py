"""A sink that a spec names no more lets go of the tree: whenever, and whoever, saw it taken out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from statusfleet.api.tree import Sink as SinkSpec
from statusfleet.publishers.sink import Sink, SinkError
from statusfleet.reconcile.publishing import TreeKeeper
from statusfleet.reconcile.showing import SinkState, TreeState
from statusfleet.store import FolderStore, State
from statusnode.records.tree import SignedTree
from support.fake_sinks import DESIRED, URL, FakeSink, records, signed
from support.records import DOMAIN, TREE_KEY

NOTHING = (frozenset(), frozenset())


def spec(name: str) -> SinkSpec:
    return SinkSpec.model_validate({"zoneFile": {"configMap": name}})


class KilledError(Exception):
    """The operator ends at this moment."""


class Scene:
    """A keeper of a tree, a real memory, and DNS servers by name, which outlive the keeper."""

    def __init__(self, folder: Path) -> None:
        self.store = FolderStore.open(folder, "test")
        self.log: list[str] = []
        self.dns = {name: FakeSink(spec(name).name, self.log) for name in "abc"}
        self.time = 1_700_000_000.0
        self.restart()

    def restart(self) -> None:
        self.keeper = TreeKeeper(self.store, (), lambda: self.time, reach=self._reach)

    async def _reach(self, spec: SinkSpec, *, shared: bool) -> Sink:
        assert spec.zone_file is not None
        return self.dns[spec.zone_file.config_map]

    async def publish(
        self,
        names: str,
        nodes: range = range(3),
        *,
        domain: str = DOMAIN,
    ) -> TreeState:
        await self.keeper.recall()
        await self.keeper.use([self.dns[name] for name in names], map(spec, names))
        return await self.keeper.publish(replace(DESIRED, domain=domain), records(nodes), TREE_KEY)

    async def shown(self) -> set[str]:
        """Who may show the tree, as the memory has it."""
        return {name[-1] for name in (await self.store.read()).tree.shown}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    result = Scene(tmp_path / "data")
    yield result
    result.store.close()


@pytest.mark.parametrize("away", [False, True], ids=["seen", "while the operator was away"])
async def test_what_is_taken_out_of_the_spec_is_withdrawn_and_forgotten(
    scene: Scene, away: bool
) -> None:
    await scene.publish("ab")
    assert await scene.shown() == {"a", "b"}
    if away:
        scene.restart()
    state = await scene.publish("a")
    assert await scene.keeper.let_go(keep=False) == ({"zoneFile:b"}, frozenset())
    assert (state.published, state.propagated) == (True, True)
    assert scene.dns["b"].texts == {}
    assert SignedTree.parse(URL, scene.dns["a"].texts) == signed(range(3), 1)
    assert await scene.shown() == {"a"}
    revision = (await scene.store.read()).revision
    assert (await scene.publish("a")).propagated
    assert await scene.keeper.let_go(keep=False) == NOTHING
    assert (await scene.store.read()).revision == revision


async def test_nothing_is_withdrawn_before_another_sink_has_the_tree(scene: Scene) -> None:
    await scene.publish("a")
    scene.dns["b"].refuses["prepare"] = SinkError("nobody answers")
    assert not (await scene.publish("b")).published
    assert await scene.keeper.let_go(keep=False) == NOTHING
    assert scene.keeper.leftovers == {"zoneFile:a": "no sink that the spec names has it yet"}
    assert scene.keeper.let_go_at is None
    assert SignedTree.parse(URL, scene.dns["a"].texts) == signed(range(3), 1)
    scene.dns["b"].refuses.clear()
    scene.time += 60
    assert (await scene.publish("b")).published
    assert await scene.keeper.let_go(keep=False) == ({"zoneFile:a"}, frozenset())
    assert scene.keeper.leftovers == {}


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
async def test_an_operator_that_is_killed_while_it_withdraws_does_it_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    await scene.publish("ab")
    await scene.publish("a", range(4))

    async def killed(state: State) -> State:
        raise KilledError

    if done:  # and nobody has written that down
        monkeypatch.setattr(scene.store, "write", killed)
    else:
        scene.dns["b"].refuses["withdraw"] = KilledError()
    with pytest.raises((KilledError, BaseExceptionGroup)):
        await scene.keeper.let_go(keep=False)
    assert (scene.dns["b"].texts == {}) is done
    assert await scene.shown() == {"a", "b"}
    monkeypatch.undo()
    scene.dns["b"].refuses.clear()
    scene.restart()
    assert (await scene.publish("a", range(4))).propagated
    await scene.keeper.let_go(keep=False)
    assert scene.dns["b"].texts == {}
    assert await scene.shown() == {"a"}


async def test_a_tree_that_the_spec_names_no_more_is_withdrawn_everywhere_and_may_come_back(
    scene: Scene,
) -> None:
    await scene.publish("ab")
    scene.restart()
    await scene.keeper.recall()
    await scene.keeper.use(())
    await scene.keeper.let_go(keep=False)
    assert scene.dns["a"].texts == scene.dns["b"].texts == {}
    assert await scene.shown() == set()
    state = await scene.publish("a", range(4))
    assert (state.seq, state.propagated) == (2, True)


async def test_a_sink_is_remembered_before_anything_is_written_to_it(scene: Scene) -> None:
    scene.dns["a"].refuses["prepare"] = SinkError("it does not answer")
    await scene.publish("a")
    assert await scene.shown() == {"a"}


async def test_a_sink_that_never_answered_is_not_remembered(scene: Scene) -> None:
    scene.dns["b"].refuses["root"] = SinkError("there is no such server")
    await scene.publish("ab")
    assert await scene.shown() == {"a"}
    await scene.publish("a")
    assert await scene.keeper.let_go(keep=False) == NOTHING
    assert scene.keeper.leftovers == {}


async def test_one_that_cannot_be_withdrawn_is_told_tried_again_and_holds_up_nobody(
    scene: Scene,
) -> None:
    await scene.publish("ab")
    scene.dns["b"].refuses["withdraw"] = SinkError("it does not answer")
    waits = []
    for nodes in range(4, 14):
        state = await scene.publish("a", range(nodes))
        assert (state.published, state.propagated) == (True, True)
        assert await scene.keeper.let_go(keep=False) == NOTHING
        assert scene.keeper.leftovers == {"zoneFile:b": "it does not answer"}
        assert scene.keeper.let_go_at is not None
        waits.append(scene.keeper.let_go_at - scene.time)
        scene.log.clear()
        await scene.keeper.let_go(keep=False)  # too soon
        assert scene.log == []
        scene.time = scene.keeper.let_go_at
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    scene.restart()
    del scene.dns["b"].refuses["withdraw"]
    await scene.publish("a", range(13))
    await scene.keeper.let_go(keep=False)
    assert (scene.keeper.leftovers, scene.keeper.let_go_at) == ({}, None)
    # All of it, though the tree has changed ten times since.
    assert scene.dns["b"].texts == {}


async def test_entries_that_only_a_leftover_holds_are_known_until_it_is_gone(scene: Scene) -> None:
    await scene.publish("ab")
    scene.dns["b"].refuses["withdraw"] = SinkError("it does not answer")
    await scene.publish("a", range(5, 8))
    await scene.keeper.let_go(keep=False)
    scene.time += 86_400
    await scene.publish("a", range(5, 8))
    assert SignedTree.parse(URL, scene.dns["a"].texts).seq == 2
    assert set(scene.dns["a"].texts) == set(signed(range(5, 8), 2).records())
    del scene.dns["b"].refuses["withdraw"]
    await scene.keeper.let_go(keep=False)
    assert scene.dns["b"].texts == {}


async def test_one_that_comes_back_into_the_spec_is_published_to_and_not_withdrawn(
    scene: Scene,
) -> None:
    await scene.publish("ab")
    scene.dns["b"].refuses["withdraw"] = SinkError("it does not answer")
    await scene.publish("a", range(4))
    await scene.keeper.let_go(keep=False)
    state = await scene.publish("ab", range(4))
    assert await scene.keeper.let_go(keep=False) == NOTHING
    assert (state.propagated, scene.keeper.leftovers) == (True, {})
    assert SignedTree.parse(URL, scene.dns["b"].texts) == signed(range(4), 2)


async def test_a_spec_that_keeps_trees_leaves_it_there_says_so_once_and_forgets_it(
    scene: Scene,
) -> None:
    await scene.publish("ab")
    await scene.publish("a", range(4))
    assert await scene.keeper.let_go(keep=True) == (frozenset(), {"zoneFile:b"})
    assert SignedTree.parse(URL, scene.dns["b"].texts) == signed(range(3), 1)
    assert await scene.keeper.let_go(keep=False) == NOTHING
    assert await scene.shown() == {"a"}


async def test_a_tree_of_another_key_is_left_alone_and_nobody_waits_for_it(scene: Scene) -> None:
    await scene.publish("ab")
    scene.dns["b"].foreign = True
    await scene.publish("a")
    assert await scene.keeper.let_go(keep=False) == ({"zoneFile:b"}, frozenset())
    assert scene.dns["b"].texts


async def test_another_domain_waits_until_the_old_tree_is_gone(scene: Scene) -> None:
    await scene.publish("ab")
    scene.restart()
    scene.dns["a"].refuses["withdraw"] = SinkError("it does not answer")
    other = f"other.{DOMAIN}"
    state = await scene.publish("a", domain=other)
    assert (state.published, state.problem) == (
        False,
        f"the tree at {DOMAIN} is withdrawn first: zoneFile:a, zoneFile:b",
    )
    assert await scene.keeper.let_go(keep=False) == ({"zoneFile:b"}, frozenset())
    assert scene.keeper.leftovers == {"zoneFile:a": "it does not answer"}
    assert not (await scene.publish("a", domain=other)).published
    del scene.dns["a"].refuses["withdraw"]
    assert scene.keeper.let_go_at is not None
    scene.time = scene.keeper.let_go_at
    await scene.keeper.let_go(keep=False)
    assert scene.dns["a"].texts == {}
    scene.dns["a"].url = URL.replace(DOMAIN, other)
    state = await scene.publish("a", domain=other)
    assert (state.seq, state.published, state.propagated) == (2, True, True)
    assert other in scene.dns["a"].texts
    assert await scene.shown() == {"a"}


async def test_a_deleted_fleet_withdraws_those_too_and_names_who_does_not_let_go(
    scene: Scene,
) -> None:
    await scene.publish("abc")
    scene.restart()
    await scene.keeper.recall()
    await scene.keeper.use([scene.dns["a"]], [spec("a")])
    scene.dns["b"].refuses["withdraw"] = SinkError("it does not answer")
    states = await scene.keeper.unpublish()
    assert states == (
        SinkState("zoneFile:a", "Pending"),
        SinkState("zoneFile:b", "Failed", 0, "it does not answer"),
    )
    assert scene.dns["a"].texts == scene.dns["c"].texts == {}
    del scene.dns["b"].refuses["withdraw"]
    assert await scene.keeper.unpublish() == (SinkState("zoneFile:a", "Pending"),)
    assert scene.dns["b"].texts == {}


async def test_a_deleted_fleet_waits_for_no_sink_that_never_took_its_tree(scene: Scene) -> None:
    away = SinkError("it does not answer")
    scene.dns["b"].refuses["root"] = away
    state = await scene.publish("ab")
    assert [sink.progress for sink in state.sinks] == ["Published", "Failed"]
    scene.restart()
    scene.dns["a"].refuses["root"] = away
    await scene.keeper.recall()
    await scene.keeper.use([scene.dns["a"], scene.dns["b"]])
    states = await scene.keeper.unpublish()
    assert [sink.progress for sink in states] == ["Failed", "Pending"]
    del scene.dns["a"].refuses["root"]
    states = await scene.keeper.unpublish()
    assert [sink.progress for sink in states] == ["Pending", "Pending"]
    assert scene.dns["a"].texts == {}


async def test_a_memory_of_before_is_read_and_remembers_from_then_on(scene: Scene) -> None:
    await scene.publish("ab")
    path = scene.store.path / "state.json"
    state = json.loads(path.read_text())
    del state["tree"]["shown"]
    path.write_text(json.dumps(state))
    scene.restart()
    assert (await scene.publish("ab")).seq == 1
    assert await scene.shown() == {"a", "b"}


async def test_a_memory_without_sinks_is_written_as_it_was_before(scene: Scene) -> None:
    await scene.publish("a")
    await scene.keeper.use(())
    await scene.keeper.let_go(keep=False)
    assert "shown" not in json.loads((scene.store.path / "state.json").read_text())["tree"]
