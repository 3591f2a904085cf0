"""How long a deleted fleet's members stay for readers: a pretended world, a real memory, a clock.

The whole end is tested on a cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from statusfleet.handlers.farewell import Farewell, Wait
from statusfleet.publishers.sink import WholeZone
from statusfleet.reconcile.publishing import TreeKeeper
from statusfleet.reconcile.status import moment
from support.fleet_fakes import Stage, manifest

DAY = 86_400.0
FLEET = manifest()
TTL = 5.0
"""Seconds, of the root of `FLEET`."""


class Deleted(Stage):
    """A fleet that was deleted while it was published."""

    def readers(self, seconds: float) -> Wait:
        """Return what is waited for; that moment is the same whenever one asks."""
        until = moment(self.time + seconds)
        text = f"waiting until readers have forgotten the members, at {until}"
        return Wait(seconds, text, unpublished=True)

    def operator(self) -> Farewell:
        """Return what an operator that has just started does about it."""
        sinks = (WholeZone("embedded", self.dns),)
        trees = TreeKeeper(self.store, (), lambda: self.time)
        parts = cast("Any", (self.world, trees, self.store, lambda *_: sinks))
        return Farewell(*parts, lambda: self.time, "1-2")


@pytest.fixture
def deleted(tmp_path: Path) -> Iterator[Deleted]:
    stage = Deleted(tmp_path / "data")
    yield stage
    stage.store.close()


async def test_an_operator_that_is_started_anew_lets_readers_wait_no_longer(
    deleted: Deleted,
) -> None:
    await deleted.grown(FLEET)
    assert await deleted.operator().step(FLEET) == deleted.readers(TTL)
    deleted.time += 3.0
    assert await deleted.operator().step(FLEET) == deleted.readers(TTL - 3.0)
    deleted.time += DAY
    assert await deleted.operator().step(FLEET) is None
    assert {name for _, name in deleted.world.stopped} == {"relayer-0", "relayer-1", "mailserver-0"}


async def test_a_clock_that_is_put_back_keeps_no_fleet_for_longer_than_the_ttl(
    deleted: Deleted,
) -> None:
    await deleted.grown(FLEET)
    farewell = deleted.operator()
    await farewell.step(FLEET)
    deleted.time -= DAY
    assert await farewell.step(FLEET) == deleted.readers(TTL)
    deleted.time += 3.0
    assert await deleted.operator().step(FLEET) == deleted.readers(TTL - 3.0)
    deleted.time += 2.0
    assert await deleted.operator().step(FLEET) is None
