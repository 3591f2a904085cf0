"""Members of two addresses: both are dialed, and what is published hangs on the first."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from statusfleet.plan import Endpoint
from statusfleet.reconcile import targets
from statusfleet.reconcile.fleet import Report
from statusfleet.reconcile.reachable import DialBack
from statusfleet.worlds.protocol import Vantage
from statusnode.records.enode import Enode
from support.fleet_fakes import Stage, manifest


class OnlyIPv4:
    """Reaches everybody over IPv4, and nobody over IPv6."""

    async def __call__(self, enode: Enode) -> str:
        return "no connection" if ":" in enode.host else ""


async def dialed(stage: Stage, found: DialBack) -> Report:
    """Give a fleet with a member of two addresses time to be dialed; return what a pass says."""
    stage.restart(dial_back=found)
    await stage.passes(manifest())
    stage.world.moved["relayer-0"] = Endpoint("127.0.0.1", 20_999, host6="::1")
    stage.world.ready |= set(stage.world.running)
    await stage.passes(manifest(), 2)
    task = asyncio.create_task(found.run())
    for _ in range(10):
        await asyncio.sleep(0)
    report = await stage.passes(manifest(), 2)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return report


def reachable(report: Report) -> tuple[str, str]:
    (found,) = (one for one in report.findings if one.type == "Reachable")
    return found.status, found.message


async def test_an_ipv6_address_beside_is_tried_and_told_of_and_keeps_nobody_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "has_route", lambda _: True)
    here = Vantage("here", OnlyIPv4())
    report = await dialed(stage, DialBack(here, lambda: stage.time, lambda: None))
    told = "dialed from here: relayer-0 over IPv6: no connection"
    assert reachable(report) == ("False", told)
    assert report.tree is not None
    assert "relayer-0" in report.tree.listed


async def test_an_ipv6_address_beside_is_not_tried_where_no_way_leads_there(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "has_route", lambda address: ":" not in address)
    here = Vantage("here", OnlyIPv4())
    report = await dialed(stage, DialBack(here, lambda: stage.time, lambda: None))
    assert reachable(report) == ("True", "dialed from here")
