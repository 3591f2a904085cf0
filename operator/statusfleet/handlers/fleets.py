"""The fleets of one operator: each has a task from when it is seen until it is gone."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from statusfleet.handlers.mirror import FleetId
from statusfleet.handlers.task import FleetTask, Surroundings
from statusfleet.kube.kinds import JsonDict


class Fleets:
    """Tasks by fleet; an event goes to the one that it concerns (`watches.Listener`)."""

    def __init__(self, around: Surroundings, group: asyncio.TaskGroup) -> None:
        self._around = around
        self._group = group
        self._tasks: dict[FleetId, tuple[FleetTask, asyncio.Task[None]]] = {}
        self._changing = asyncio.Lock()

    async def fleet_seen(self, body: JsonDict) -> None:
        """Begin to look after a fleet, or tell its task that it has changed."""
        fleet = body["metadata"]["namespace"], body["metadata"]["name"]
        async with self._changing:
            known = self._tasks.get(fleet)
            if known is not None and known[0].owner.uid == body["metadata"]["uid"]:
                known[0].see(body)
                return
            # Another of the same name follows one whose end was not seen: they share a memory.
            await self._end(fleet)
            task = FleetTask(self._around, body)
            running = self._group.create_task(task.run(), name="fleet {}/{}".format(*fleet))
            self._tasks[fleet] = task, running

    async def fleet_gone(self, body: JsonDict) -> None:
        """Stop looking after a fleet that is no more."""
        fleet = body["metadata"]["namespace"], body["metadata"]["name"]
        async with self._changing:
            known = self._tasks.get(fleet)
            if known is not None and known[0].owner.uid == body["metadata"]["uid"]:
                await self._end(fleet)

    def wake(self, fleet: FleetId) -> None:
        """Have one fleet looked at."""
        self._around.numbers.events += 1
        known = self._tasks.get(fleet)
        if known is not None:
            known[0].wake()

    def wake_all(self) -> None:
        """Have every fleet looked at."""
        for task, _ in self._tasks.values():
            task.wake()

    async def stop(self) -> None:
        """Stop looking after any."""
        async with self._changing:
            for fleet in list(self._tasks):
                await self._end(fleet)

    async def _end(self, fleet: FleetId) -> None:
        known = self._tasks.pop(fleet, None)
        if known is None:
            return
        known[1].cancel()
        with suppress(asyncio.CancelledError):
            await known[1]
        self._around.numbers.forget(fleet)
