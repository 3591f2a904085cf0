"""The fleets of one operator: each has a task from when it is seen until it is gone."""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from typing import Final

from statusfleet.handlers.mirror import FleetId
from statusfleet.handlers.surroundings import Surroundings
from statusfleet.handlers.task import FleetTask
from statusfleet.kube.kinds import JsonDict

_ANEW_SECONDS: Final = 10.0
_log = logging.getLogger(__name__)


class Fleets:
    """Tasks by fleet; an event goes to the one that it concerns (`watches.Listener`)."""

    def __init__(
        self,
        around: Surroundings,
        group: asyncio.TaskGroup,
        *,
        anew_seconds: float = _ANEW_SECONDS,
    ) -> None:
        """Take where tasks run, and how long after a fault one begins anew."""
        self._around = around
        self._group = group
        self._anew_seconds = anew_seconds
        self._tasks: dict[FleetId, FleetTask] = {}
        self._running: dict[FleetId, asyncio.Task[None]] = {}
        self._changing = asyncio.Lock()
        self._stopped = False

    async def fleet_seen(self, body: JsonDict) -> None:
        """Begin to look after a fleet, or tell its task that it has changed."""
        fleet = body["metadata"]["namespace"], body["metadata"]["name"]
        async with self._changing:
            if self._stopped:
                return
            known = self._tasks.get(fleet)
            if known is not None and known.owner.uid == body["metadata"]["uid"]:
                known.see(body)
                return
            # Another of the same name follows one whose end was not seen: they share a memory.
            await self._end(fleet)
            self._tasks[fleet] = FleetTask(self._around, body)
            # In the context of whoever tells us, the task and what is called at its end would hold
            # on to the whole event.
            self._running[fleet] = Context().run(
                self._group.create_task,
                self._look_after(fleet),
                name="fleet {}/{}".format(*fleet),
            )

    async def fleet_gone(self, body: JsonDict) -> None:
        """Stop looking after a fleet that is no more."""
        fleet = body["metadata"]["namespace"], body["metadata"]["name"]
        async with self._changing:
            known = self._tasks.get(fleet)
            if known is not None and known.owner.uid == body["metadata"]["uid"]:
                await self._end(fleet)

    async def leave(self, namespace: str) -> None:
        """Stop looking after the fleets of a namespace, "" for all; those seen again are new."""
        async with self._changing:
            for fleet in [one for one in self._tasks if namespace in ("", one[0])]:
                await self._end(fleet)

    def wake(self, fleet: FleetId) -> None:
        """Have one fleet looked at."""
        self._around.numbers.events += 1
        known = self._tasks.get(fleet)
        if known is not None:
            known.wake()

    def wake_all(self) -> None:
        """Have every fleet looked at."""
        for task in self._tasks.values():
            task.wake(chore=True)

    async def stop(self) -> None:
        """Stop looking after any, for good."""
        self._stopped = True
        await self.leave("")

    async def _look_after(self, fleet: FleetId) -> None:
        """Run a fleet's task until cancelled, and another one where a fault has ended it.

        Passes have their own net; a fault of what runs beside them (dials, logs, look-ups) ends
        the task.
        """
        while True:
            try:
                await self._tasks[fleet].run()
            except Exception:  # noqa: BLE001 - one fleet's fault must not end the others
                _log.exception("fleet %s/%s: a fault of the operator", *fleet)
                self._around.numbers.passes["crashed"] += 1
            if self._running.get(fleet) is not asyncio.current_task():
                return  # a fault that meets our own end hides it
            await asyncio.sleep(self._anew_seconds)
            self._tasks[fleet] = FleetTask(self._around, self._tasks[fleet].body)

    async def _end(self, fleet: FleetId) -> None:
        running = self._running.pop(fleet, None)
        if running is None:
            return
        running.cancel()
        await asyncio.wait([running])
        del self._tasks[fleet]
        self._around.numbers.forget(fleet)
