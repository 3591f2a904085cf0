"""Who is published where members are dialed first, and whom a paused fleet has dialed: nobody."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from statusfleet.plan import Endpoint
from statusfleet.reconcile.reachable import DialBack
from statusfleet.reconcile.reasons import Reason
from statusfleet.worlds.protocol import Vantage
from statusnode.records.enode import Enode
from support.fleet_fakes import Stage, manifest, with_relayers


class Nobody:
    """Reaches nobody; counts the dials."""

    def __init__(self) -> None:
        self.dials = 0

    async def __call__(self, _: Enode) -> str:
        self.dials += 1
        return "no connection"


class Anybody:
    """Reaches whomever it dials."""

    async def __call__(self, _: Enode) -> str:
        return ""


def dialing(stage: Stage, knock: Nobody | Anybody) -> DialBack:
    return DialBack(Vantage("here", knock), lambda: stage.time, lambda: None)


async def test_an_operator_that_reaches_nobody_keeps_who_is_in_the_tree_and_lets_no_other_in(
    stage: Stage,
) -> None:
    await stage.grown(with_relayers(2))
    stage.restart(dial_back=dialing(stage, Nobody()))
    wanted = with_relayers(3)
    await stage.passes(wanted)
    stage.world.ready |= set(stage.world.running)
    stage.time += 100
    report = await stage.passes(wanted, 2)
    assert report.tree is not None
    assert report.tree.listed == {"relayer-0", "relayer-1", "mailserver-0"}


async def test_a_member_that_has_moved_makes_its_fleet_ready_when_the_tree_leads_there(
    stage: Stage,
) -> None:
    before = await stage.grown(manifest())
    assert before.tree is not None
    found = dialing(stage, Anybody())
    stage.restart(grace_seconds=60.0, dial_back=found)
    stage.world.moved["relayer-0"] = Endpoint("127.0.0.1", 30_303)
    report = await stage.passes(manifest())
    assert (report.findings[0].status, report.findings[0].reason) == ("False", Reason.NOT_PUBLISHED)
    assert "older record: relayer-0" in report.findings[0].message
    task = asyncio.create_task(found.run())
    for _ in range(10):
        await asyncio.sleep(0)
    report = await stage.passes(manifest())
    assert report.findings[0].holds
    assert report.tree is not None
    assert report.tree.seq == before.tree.seq + 1
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_paused_fleet_s_members_are_not_dialed(stage: Stage) -> None:
    nobody = Nobody()
    found = dialing(stage, nobody)
    await stage.grown(manifest())
    stage.restart(dial_back=found)
    await stage.passes(manifest())
    await stage.passes(manifest(paused=True))
    task = asyncio.create_task(found.run())
    for _ in range(10):
        await asyncio.sleep(0)
    assert nobody.dials == 0
    await stage.passes(manifest())
    for _ in range(10):
        await asyncio.sleep(0)
    assert nobody.dials == 3
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_the_canary_waits_while_nobody_has_an_address_to_be_asked_at(stage: Stage) -> None:
    members = ("relayer-0", "relayer-1", "mailserver-0")
    stage.world.moved = dict.fromkeys(members)
    await stage.grown(manifest())
    assert stage.world.canary is None
    stage.world.moved["relayer-1"] = Endpoint("127.0.0.1", 30_303)
    await stage.passes(manifest(), 2)
    assert stage.world.canary is not None
    assert [name for name, _ in stage.world.canary.relayers] == ["relayer-1"]


async def test_the_canary_runs_also_where_a_member_cannot_be_reached(stage: Stage) -> None:
    nobody = Nobody()
    found = dialing(stage, nobody)
    stage.restart(dial_back=found)
    await stage.passes(manifest())
    stage.world.ready |= set(stage.world.running)
    task = asyncio.create_task(found.run())
    await stage.passes(manifest())
    assert stage.world.canary is None
    while len(found.unreachable()) < 3:
        stage.time += 1000
        found.rest()
        await stage.passes(manifest())
        await asyncio.sleep(0)
    await stage.passes(manifest())
    assert stage.world.canary is not None
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
