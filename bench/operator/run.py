"""One run: make the fleets, start again, rest, edit. Each phase is told by a `Phase`."""

from __future__ import annotations

import asyncio
import math
import random
import sys
import time
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import audit
import fleets
from pretended import BenchError, Pretended
from process import OperatorProcess, Usage, operator

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import CONFIG_MAP, STATUS_FLEET

_MAKERS = 16
_POLL_SECONDS = 2.0
_QUIET_SECONDS = 15.0
_EDIT_SECONDS = 60.0
_PAUSE_SECONDS = 0.3
_PEER = "round-trip"


@dataclass(slots=True)
class Phase:
    """What one phase took: seconds, the operator's processor seconds, memory, and its requests."""

    seconds: float
    cpu_seconds: float
    usage: Usage
    calls: list[audit.Call]
    latencies: list[float] = field(default_factory=list)
    """Seconds of each edit until its status stood there."""
    round_trips: list[float] = field(default_factory=list)
    """Seconds of two writes and what a watch shows of the second, by the same client."""


class Meter:
    """Measures an operator from one `lap` to the next."""

    def __init__(self, process: OperatorProcess, log: audit.Log) -> None:
        self._process = process
        self._log = log
        self._before = process.usage()

    def lap(self, seconds: float | None = None) -> Phase:
        """Return what was used since the last lap; `seconds` where less than all was the phase."""
        now, before = self._process.usage(), self._before
        self._before = now
        took = now.at - before.at if seconds is None else seconds
        return Phase(took, now.cpu_seconds - before.cpu_seconds, now, self._log.read())


class Run:
    """Measures so many fleets on one cluster."""

    def __init__(self, cluster: Pretended, folder: Path, count: int) -> None:
        self._cluster = cluster
        self._folder = folder
        self._count = count
        self._log = audit.Log(cluster.audit)
        self._random = random.Random(4)  # the same fleets in each run

    async def measure(self, *, edits: int, rest_seconds: float) -> dict[str, Phase]:
        """Return every phase by name.

        Raises:
            BenchError: the operator ended, or did not get anywhere.
        """
        phases: dict[str, Phase] = {}
        async with await KubeClient.connect(self._cluster.kubeconfig) as client:
            async with operator(self._folder, self._cluster.operators, "first") as first:
                meter = Meter(first, self._log)
                await self._make(client)
                seconds = await self._until_ready(client, first)
                phases["create"] = meter.lap(seconds)
                _say(f"{self._count} fleets were made in {seconds:.1f} s")
                await self._until_quiet()
            self._log.read()
            async with operator(self._folder, self._cluster.operators, "second") as second:
                meter = Meter(second, self._log)
                seconds = await second.until_looked_at(self._count, patience=600)
                phases["start"] = meter.lap(seconds)
                _say(f"a cold start took {seconds:.1f} s")
                await asyncio.sleep(_QUIET_SECONDS)
                phases["after"] = meter.lap()
                await asyncio.sleep(rest_seconds)
                phases["rest"] = meter.lap()
                _say("rested")
                phases["edit"] = await self._edit(client, meter, edits)
        return phases

    async def _make(self, client: KubeClient) -> None:
        numbers = iter(range(self._count))

        async def make() -> None:
            for number in numbers:
                await client.create(fleets.fleet(number))

        await asyncio.gather(*(make() for _ in range(_MAKERS)))

    async def _until_ready(self, client: KubeClient, process: OperatorProcess) -> float:
        began, told = time.perf_counter(), 0.0
        patience = 120 + 5.0 * self._count
        while (took := time.perf_counter() - began) < patience:
            process.usage()
            ready = 0
            async for body in client.iterate(STATUS_FLEET, page=100):
                ready += fleets.is_ready(body)
            if ready == self._count:
                return took
            if took - told > 30:
                told = took
                _say(f"{ready} of {self._count} fleets are ready after {took:.0f} s")
            # To look at all of them is work for the server, which is being measured too.
            await asyncio.sleep(_POLL_SECONDS + self._count / 100)
        raise BenchError(f"{ready} of {self._count} fleets are ready after {patience:.0f} s")

    async def _until_quiet(self) -> None:
        """Wait until the operator has written nothing for a while."""
        quiet = 0.0
        while quiet < _QUIET_SECONDS:
            await asyncio.sleep(_POLL_SECONDS)
            quiet = 0.0 if audit.writes(self._log.read()) else quiet + _POLL_SECONDS

    async def _edit(self, client: KubeClient, meter: Meter, edits: int) -> Phase:
        await client.create(_peer())
        latencies, round_trips = [], []
        for turn in range(edits):
            place = fleets.place(self._random.randrange(self._count))
            latencies.append(await _edited(client, place))
            round_trips.append(await _round_trip(client, turn))
            await asyncio.sleep(_PAUSE_SECONDS * self._random.uniform(0.5, 1.5))
        await asyncio.sleep(_QUIET_SECONDS)
        phase = meter.lap()
        phase.latencies, phase.round_trips = latencies, round_trips
        return phase


async def _edited(client: KubeClient, place: tuple[str, str]) -> float:
    """Edit a fleet; return after how many seconds its status spoke of the edit."""
    async with (
        asyncio.timeout(_EDIT_SECONDS),
        aclosing(client.follow(STATUS_FLEET, *place)) as seen,
    ):
        before = await anext(seen)
        assert before is not None
        change = fleets.edit(before)
        began = time.perf_counter()
        body = await client.patch(STATUS_FLEET, *place, change)
        generation = body["metadata"]["generation"]
        async for state in seen:
            if state is not None and fleets.is_settled(state, generation):
                break
        return time.perf_counter() - began


async def _round_trip(client: KubeClient, turn: int) -> float:
    """Write an object, write it again when a watch shows it, and wait for that: the least of all.

    It is what the machine, the API server and Python take for an operator that does nothing.
    """
    place = ("default", _PEER)
    async with asyncio.timeout(_EDIT_SECONDS), aclosing(client.follow(CONFIG_MAP, *place)) as seen:
        await anext(seen)
        began = time.perf_counter()
        for step in ("asked", "answered"):
            await client.patch(CONFIG_MAP, *place, {"data": {step: str(turn)}})
            async for state in seen:
                if state is not None and state["data"].get(step) == str(turn):
                    break
        return time.perf_counter() - began


def _peer() -> dict[str, object]:
    metadata = {"namespace": "default", "name": _PEER}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"turn": ""}}


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest of the values that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
