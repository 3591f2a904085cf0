"""When an object is written, and when it is left alone.

A pretended API server that counts writes; its clock and its watch are moved by hand.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any, cast

import pytest

from statusfleet.kube import (
    Cause,
    ConflictError,
    FieldConflictError,
    InvalidError,
    KubeClient,
    TransientError,
)
from statusfleet.kube.errors import AdmissionError, AnswerError
from statusfleet.kube.kinds import CONFIG_MAP, Kind
from statusfleet.worlds.kubernetes.applying import MOST_AT_ONCE, Applier, in_turns, together
from statusfleet.worlds.kubernetes.records import Child

NOTED = {"f:metadata": {"f:annotations": {"f:statusfleet.io/intent": {}}, "f:labels": {}}}


def owner(kind: str, name: str) -> dict[str, Any]:
    version = "statusfleet.io/v1alpha1" if kind == "StatusFleet" else "apps/v1"
    return {"apiVersion": version, "kind": kind, "name": name, "uid": "u", "controller": True}


class Server:
    """Takes what is applied, or refuses as it is told."""

    def __init__(self) -> None:
        self.version = 0
        self.writes = 0
        self.refuses: AnswerError | None = None
        self.other: dict[str, Any] | None = None
        self.leaves = False
        self.ours: dict[str, Any] = {**NOTED, "f:data": {"f:x": {}}}

    async def apply(self, body: dict[str, Any], *, resource_version: str = "") -> dict[str, Any]:
        there = self.other["metadata"]["resourceVersion"] if self.other is not None else ""
        if there and resource_version not in ("", there):
            raise ConflictError("configmap c", "the object has been modified")
        self.writes += 1
        if self.refuses is not None:
            raise self.refuses
        self.version += 1
        metadata = {
            **body["metadata"],
            "uid": "u",
            "resourceVersion": str(self.version),
            "managedFields": [
                {
                    "manager": "statusfleet",
                    "operation": "Apply",
                    "fieldsV1": self.ours,
                }
            ],
        }
        return {**body, "metadata": metadata}

    async def list(self, kind: Kind, namespace: str, **which: Any) -> list[dict[str, Any]]:
        assert which == {"fields": "metadata.name=c", "metadata_only": True}
        return [] if self.other is None or self.leaves else [self.other]

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str = "") -> bool:
        self.writes += 1
        if self.refuses is not None:
            raise self.refuses
        return True


class Scene:
    def __init__(self) -> None:
        self.server = Server()
        self.time = 100.0
        self.applier = Applier(cast(KubeClient, self.server), lambda: self.time)

    async def apply(self, seen: Child | None, data: str = "a") -> Child:
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "c",
                "namespace": "n",
                "labels": {"statusfleet.io/fleet": "eth-dev"},
            },
            "data": {"x": data},
        }
        record = (await self.applier.apply(body, seen)).record
        assert record is None or isinstance(record, Child)
        return cast(Child, record)


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_an_equal_wish_is_written_once(scene: Scene) -> None:
    shown = await scene.apply(None)
    for _ in range(3):
        await scene.apply(shown)
    assert scene.server.writes == 1
    await scene.apply(shown, "b")
    assert scene.server.writes == 2


async def test_a_new_operator_trusts_what_it_finds(scene: Scene) -> None:
    shown = await scene.apply(None)
    after = Scene()
    await after.apply(shown)
    assert after.server.writes == 0


async def test_what_was_taken_while_no_operator_ran_is_told_of(scene: Scene) -> None:
    shown = await scene.apply(None)
    after = Scene()
    conflict = Cause("FieldManagerConflict", ".data.x", 'conflict with "kubectl-edit"')
    after.server.refuses = FieldConflictError("configmap c", "conflict", causes=(conflict,))
    for _ in range(2):
        await after.apply(replace(shown, owned=json.dumps(NOTED)))
    assert after.server.writes == 1
    assert ".data.x is held by kubectl-edit" in after.applier.problems["ConfigMap c"]


async def test_a_watch_that_is_behind_causes_no_second_write(scene: Scene) -> None:
    first = await scene.apply(None)
    await scene.apply(None)
    assert scene.server.writes == 1
    await scene.apply(first, "b")
    await scene.apply(first, "b")
    assert scene.server.writes == 2


async def test_what_a_write_does_not_make_ours_is_not_written_for_ever(scene: Scene) -> None:
    scene.server.ours = NOTED
    shown = await scene.apply(None)
    for _ in range(3):
        shown = await scene.apply(shown)
    assert scene.server.writes == 1


async def test_what_was_deleted_by_hand_comes_back_at_once(scene: Scene) -> None:
    shown = await scene.apply(None)
    await scene.apply(shown)
    await scene.apply(None)
    assert scene.server.writes == 2


async def test_what_was_deleted_before_any_watch_showed_it_comes_back_too(scene: Scene) -> None:
    await scene.apply(None)
    scene.time += 11
    await scene.apply(None)
    assert scene.server.writes == 2


async def test_a_field_that_somebody_took_is_wanted_back_once(scene: Scene) -> None:
    shown = await scene.apply(None)
    conflict = Cause("FieldManagerConflict", ".data.x", 'conflict with "kubectl-edit"')
    scene.server.refuses = FieldConflictError("configmap c", "conflict", causes=(conflict,))
    taken = replace(shown, owned=json.dumps(NOTED), version=shown.version + 1)
    for _ in range(3):
        await scene.apply(taken)
    assert scene.server.writes == 2
    (problem,) = scene.applier.problems.items()
    assert problem[0] == "ConfigMap c"
    assert ".data.x is held by kubectl-edit" in problem[1]
    # Once the user lets go, it is set again.
    scene.server.refuses = None
    await scene.apply(replace(taken, version=taken.version + 1))
    assert scene.server.writes == 3
    assert scene.applier.problems == {}


async def test_what_is_refused_is_tried_again_when_the_wish_changes_or_after_a_minute(
    scene: Scene,
) -> None:
    scene.server.refuses = InvalidError("configmap c", "spec is immutable")
    await scene.apply(None)
    await scene.apply(None)
    assert scene.server.writes == 1
    assert scene.applier.problems == {"ConfigMap c": "configmap c: spec is immutable"}
    await scene.apply(None, "b")
    assert scene.server.writes == 2
    scene.time += 61
    scene.server.refuses = None
    await scene.apply(None, "b")
    assert scene.applier.problems == {}


async def test_what_a_webhook_does_not_answer_for_is_a_problem_and_tried_again_soon(
    scene: Scene,
) -> None:
    scene.server.refuses = AdmissionError("configmap c", "failed calling webhook")
    for wait in (1, 2, 4, 8, 16, 32, 60, 60):
        await scene.apply(None)
        await scene.apply(None)  # too early: nothing is sent
        assert scene.applier.problems == {"ConfigMap c": "configmap c: failed calling webhook"}
        assert scene.applier.retry_at == scene.time + wait
        scene.time += wait
    assert scene.server.writes == 8
    scene.server.refuses = None
    await scene.apply(None)
    assert scene.applier.problems == {}
    assert scene.applier.retry_at is None


async def test_what_nobody_asks_for_when_its_time_has_come_is_no_reason_to_look_again(
    scene: Scene,
) -> None:
    scene.server.refuses = AdmissionError("configmap c", "failed calling webhook")
    await scene.apply(None)
    scene.time += 1
    assert scene.applier.retry_at is None
    assert scene.applier.problems


async def test_what_may_not_go_is_a_problem(scene: Scene) -> None:
    scene.server.refuses = AdmissionError("configmap c", "failed calling webhook")
    assert not await scene.applier.delete(CONFIG_MAP, "n", "c")
    assert scene.applier.problems == {"ConfigMap c": "configmap c: failed calling webhook"}
    scene.server.refuses = None
    assert await scene.applier.delete(CONFIG_MAP, "n", "c")
    assert scene.applier.problems == {}


async def test_what_was_refused_and_is_wanted_no_more_is_no_problem(scene: Scene) -> None:
    scene.server.refuses = InvalidError("configmap c", "no")
    await scene.apply(None)
    scene.applier.settle()
    assert scene.applier.problems
    await scene.apply(None)  # asked for again, and not tried yet
    scene.applier.settle()
    assert scene.applier.problems
    scene.applier.settle()
    assert scene.applier.problems == {}


@pytest.mark.parametrize(
    ("metadata", "holder"),
    [
        ({}, "somebody else"),
        ({"labels": {"statusfleet.io/fleet": "eth"}}, "StatusFleet eth"),
        ({"ownerReferences": [owner("StatusFleet", "eth")]}, "StatusFleet eth"),
        ({"ownerReferences": [owner("Deployment", "eth-dev")]}, "Deployment eth-dev"),
    ],
)
async def test_another_s_object_of_the_same_name_is_left_as_it_is(
    scene: Scene, metadata: dict[str, Any], holder: str
) -> None:
    scene.server.other = {"metadata": {"name": "c", "resourceVersion": "7", **metadata}}
    assert await scene.apply(None) is None
    assert scene.server.writes == 0
    assert f"belongs to {holder}: it is left" in scene.applier.problems["ConfigMap c"]
    scene.server.other = None
    scene.time += 61
    await scene.apply(None)
    assert scene.server.writes == 1
    assert scene.applier.problems == {}


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"statusfleet.io/fleet": "eth-dev"}},
        {"ownerReferences": [owner("StatusFleet", "eth-dev")]},
    ],
)
async def test_what_an_earlier_fleet_of_the_name_has_left_is_taken_over(
    scene: Scene, metadata: dict[str, Any]
) -> None:
    scene.server.other = {"metadata": {"name": "c", "resourceVersion": "7", **metadata}}
    await scene.apply(None)
    assert scene.server.writes == 1


async def test_what_is_there_and_gone_at_the_next_look_is_tried_again_by_the_caller(
    scene: Scene,
) -> None:
    scene.server.other = {"metadata": {"name": "c", "resourceVersion": "7"}}
    scene.server.leaves = True
    with pytest.raises(ConflictError):
        await scene.apply(None)
    assert scene.applier.problems == {}
    assert scene.server.writes == 0


async def test_trouble_of_the_server_is_the_callers_to_wait_for(scene: Scene) -> None:
    scene.server.refuses = TransientError("configmap c", "etcd is away")
    with pytest.raises(TransientError):
        await scene.apply(None)
    assert scene.applier.problems == {}


async def test_an_object_on_its_way_out_is_made_anew_when_it_is_gone(scene: Scene) -> None:
    shown = await scene.apply(None)
    leaving = replace(shown, deleting=True, version=shown.version + 1)
    await scene.apply(leaving, "b")
    assert scene.server.writes == 1
    await scene.apply(None, "b")
    assert scene.server.writes == 2


async def test_what_was_removed_is_forgotten(scene: Scene) -> None:
    scene.server.refuses = InvalidError("configmap c", "no")
    await scene.apply(None)
    scene.server.refuses = None
    await scene.applier.delete(CONFIG_MAP, "n", "c")
    assert scene.applier.problems == {}


async def test_of_many_calls_all_are_made_some_at_a_time_and_the_first_failure_is_told() -> None:
    made, under_way, most = [], 0, 0

    async def call(number: int) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        made.append(number)
        if number % 100 == 7:
            raise ValueError(number)

    with pytest.raises(ValueError, match=r"^7$"):
        await together(call(number) for number in range(5 * MOST_AT_ONCE))
    assert made == list(range(5 * MOST_AT_ONCE))
    assert most == MOST_AT_ONCE


async def test_who_works_on_many_things_lets_others_have_their_turn() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    assert [item async for item in in_turns(range(200))] == list(range(200))
    assert turns >= 200 // MOST_AT_ONCE
    beside.cancel()
    await asyncio.wait([beside])
