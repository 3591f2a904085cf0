"""The tasks of an operator's fleets: a fault of one ends no other, and none for ever."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from statusfleet.handlers import fleets
from statusfleet.handlers.fleets import Fleets
from statusfleet.handlers.numbers import Numbers
from statusfleet.worlds.kubernetes.names import Owner

EVENT: ContextVar[object] = ContextVar("EVENT")
"""What Kopf keeps while it handles an event: the event, with all that the server says."""


def body(name: str, uid: str = "1") -> dict[str, Any]:
    return {"metadata": {"namespace": "n", "name": name, "uid": uid}}


class FakeTask:
    """In the place of a fleet's task, whose own faults nobody can call for: runs until told."""

    made: list[FakeTask]

    def __init__(self, around: object, body: dict[str, Any]) -> None:
        self.body = body
        self.owner = Owner("n", body["metadata"]["name"], body["metadata"]["uid"])
        self.fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.made.append(self)

    def see(self, body: dict[str, Any]) -> None:
        self.body = body

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beside())

    async def _beside(self) -> None:
        await self.fault


class Event:
    """All that a server says of a fleet."""


class Around:
    """As much of the surroundings as is counted."""

    def __init__(self) -> None:
        self.numbers = Numbers()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[FakeTask]:
    FakeTask.made = []
    monkeypatch.setattr(fleets, "FleetTask", FakeTask)
    return FakeTask.made


async def until_made(made: list[FakeTask], count: int) -> None:
    async with asyncio.timeout(60):
        while True:
            if len(made) == count:
                return
            await asyncio.sleep(0.01)


async def test_a_fault_beside_the_passes_ends_no_other_fleet_and_is_made_good(
    made: list[FakeTask], caplog: pytest.LogCaptureFixture
) -> None:
    around: Any = Around()
    async with asyncio.TaskGroup() as group:
        tasks = Fleets(around, group, anew_seconds=0.01)
        await tasks.fleet_seen(body("eddy"))
        await tasks.fleet_seen(body("other"))
        newer = {**body("eddy"), "spec": {}}
        await tasks.fleet_seen(newer)
        made[0].fault.set_exception(RuntimeError("a log without an end"))
        await until_made(made, 3)
        assert made[2].body is newer
        assert around.numbers.passes["crashed"] == 1
        assert [r.levelno for r in caplog.records] == [logging.ERROR]
        await tasks.stop()
    assert len(made) == 3


async def test_an_end_that_meets_a_fault_is_an_end(made: list[FakeTask]) -> None:
    around: Any = Around()
    async with asyncio.TaskGroup() as group:
        tasks = Fleets(around, group, anew_seconds=0.01)
        await tasks.fleet_seen(body("eddy"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        made[0].fault.set_exception(RuntimeError("just now"))
        async with asyncio.timeout(60):
            await tasks.stop()
    assert len(made) == 1


async def test_another_fleet_of_the_same_name_has_a_task_of_its_own(made: list[FakeTask]) -> None:
    around: Any = Around()
    async with asyncio.TaskGroup() as group:
        tasks = Fleets(around, group)
        await tasks.fleet_seen(body("eddy"))
        await tasks.fleet_seen(body("eddy", uid="2"))
        assert [task.owner.uid for task in made] == ["1", "2"]
        await tasks.fleet_gone(body("eddy", uid="1"))  # the one before, late
        await tasks.fleet_gone(body("eddy", uid="2"))


async def test_a_namespace_that_is_left_ends_with_its_tasks_alone(made: list[FakeTask]) -> None:
    around: Any = Around()
    elsewhere = {"metadata": {"namespace": "m", "name": "eddy", "uid": "2"}}
    async with asyncio.TaskGroup() as group:
        tasks = Fleets(around, group)
        await tasks.fleet_seen(body("eddy"))
        await tasks.fleet_seen(elsewhere)
        await tasks.leave("n")
        await tasks.fleet_seen(elsewhere)
        assert len(made) == 2
        await tasks.fleet_seen(body("eddy"))
        assert len(made) == 3
        await tasks.leave("")
        await tasks.fleet_seen(elsewhere)
        assert len(made) == 4
        await tasks.stop()
        await tasks.fleet_seen(body("eddy"))  # too late
    assert len(made) == 4


async def test_a_task_does_not_hold_on_to_the_event_that_began_it(made: list[FakeTask]) -> None:
    around: Any = Around()
    async with asyncio.TaskGroup() as group:
        tasks = Fleets(around, group)
        event, context = Event(), copy_context()
        context.run(EVENT.set, event)
        told = weakref.ref(event)
        await asyncio.create_task(tasks.fleet_seen(body("eddy")), context=context)
        del event, context
        await asyncio.sleep(0)
        gc.collect()
        assert told() is None
        await tasks.stop()
