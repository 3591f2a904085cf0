"""All sinks of one fleet, each step of a publication at all of them at the same time.

What fails at one is kept with it and keeps it out of the steps after; the others go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

from statusfleet.publishers.sink import Sink, Target, TwinTreeError, check_ours
from statusfleet.reconcile.conditions import SinkState
from statusfleet.reconcile.place import Place
from statusfleet.reconcile.twins import Familiar, Namesakes, Twins
from statusnode.records.tree import Link

_LOOK_AGAIN_SECONDS: Final = 600.0

Waiting = Callable[[], AbstractAsyncContextManager[object]]
"""Surrounds every wait for sinks."""


class Places:
    """The sinks that a spec names, and what is known of each since this process began."""

    def __init__(
        self,
        sinks: Iterable[Sink],
        now: Callable[[], float],
        waiting: Waiting,
        namesakes: Namesakes,
    ) -> None:
        self._namesakes = namesakes
        self._twins = Twins()
        self._places = [Place(sink) for sink in sinks]
        self._now = now
        self._waiting = waiting

    @property
    def every(self) -> tuple[Place, ...]:
        """All of them, in the order of the spec."""
        return tuple(self._places)

    @property
    def states(self) -> tuple[SinkState, ...]:
        """How far each sink is, as last seen."""
        return tuple(place.state for place in self._places)

    @property
    def roots(self) -> tuple[str, ...]:
        """The roots that the sinks hold, of those that were looked at."""
        return tuple(place.root for place in self._places if place.met and place.root is not None)

    @property
    def any_served(self) -> bool:
        """Whether one of them has taken a tree."""
        return any(place.served is not None for place in self._places)

    @property
    def problem(self) -> str:
        """What is wrong with them, "" for nothing."""
        problems = [(p.sink.name, p.problem) for p in self._places if p.problem]
        if len(self._places) == 1:
            return "".join(problem for _, problem in problems)
        return "; ".join(f"{name}: {problem}" for name, problem in problems)

    def use(self, sinks: Iterable[Sink]) -> tuple[Sink, ...]:
        """Have these sinks from now on; return those that are not used any more.

        What is known of a sink that stays is kept.
        """
        known = {id(place.sink): place for place in self._places}
        self._places = [known.pop(id(sink)) if id(sink) in known else Place(sink) for sink in sinks]
        return tuple(place.sink for place in known.values())

    def forget(self) -> None:
        """Have every sink looked at anew with the next step."""
        for place in self._places:
            place.met, place.look_again = False, 0.0

    def may_show_another(self, roots: Collection[str]) -> bool:
        """Tell whether a sink may show a tree whose root is none of these."""
        return any(
            not place.met or (place.root is not None and place.root not in roots)
            for place in self._places
        )

    @property
    def highest_beside(self) -> int:
        """The highest number of roots that stood at sinks and that we did not know; else 0.

        A twin's counts only while nobody shows a tree of ours: two that see each other's would go
        up without an end.
        """
        places = [place for place in self._places if place.met] or self._places
        return max((place.beside for place in places), default=0)

    async def meet(self, link: Link, known: str | None, familiar: Familiar) -> None:
        """Look at the roots of sinks that were not met yet, or that somebody has touched since.

        Another root than the `known` one may be somebody else's: `familiar` tells by its nodes.
        """
        for place in self._places:
            if place.sink.touched():
                place.met, place.look_again = False, 0.0
        await self._on(
            [place for place in self._places if not place.met],
            lambda place: self._look(place, link, known, familiar),
        )

    async def bring(self, target: Target) -> None:
        """Bring the target to every sink that can take it; all entries before any root."""
        now = self._now()
        due = [p for p in self._places if p.met and (p.served != target or p.look_again <= now)]
        for place in due:
            place.progress, place.served, place.proved = "Publishing", None, None
        prepared = await self._on(due, lambda place: place.sink.prepare(target))
        moved = await self._on(prepared, lambda place: place.sink.move(target, place.root))
        for place in moved:
            place.root = target.root
        for place in await self._on(moved, lambda place: place.sink.tidy(target)):
            place.served, place.progress, place.problem = target, "Published", ""
            place.look_again = now + _LOOK_AGAIN_SECONDS

    async def prove(self, target: Target) -> None:
        """Read the target back from the sinks that serve it, where that was not done yet."""
        due = [p for p in self._places if p.served == target and p.proved != target]
        if not due:
            return
        async with self._waiting(), asyncio.TaskGroup() as group:
            for place in due:
                group.create_task(place.prove(target))

    async def withdraw(self, target: Target, shown: Collection[str]) -> None:
        """Take the target away from every sink that was met; raises nothing, as the others.

        `shown` names the sinks that may show it, where that is known: any other never took it.
        """
        places = [place for place in self._places if place.met]
        for place in await self._on(places, lambda place: place.sink.withdraw(target)):
            place.root = place.served = place.proved = None
            place.progress, place.problem = "Pending", ""
        for place in self._places:
            never_took = bool(shown) and not place.met and place.sink.name not in shown
            if place.foreign or never_took:  # nothing of ours is there to be taken away
                place.progress, place.problem = "Pending", ""

    async def _look(self, place: Place, link: Link, known: str | None, familiar: Familiar) -> None:
        text = await place.sink.root(link.domain)
        if text is not None:
            check_ours(text, link)
        place.root = text
        if text not in (None, known):
            place.beside = max(place.beside, place.seq)
            if await self._twins.is_twin(place.sink, link, text, familiar):
                raise TwinTreeError(link.domain, self._namesakes(str(link)))
        place.met = True

    async def _on(
        self, places: Sequence[Place], act: Callable[[Place], Awaitable[None]]
    ) -> list[Place]:
        """Act on places at the same time; return those where it worked."""
        if not places:
            return []
        async with self._waiting(), asyncio.TaskGroup() as group:
            tasks = [group.create_task(place.attempt(act)) for place in places]
        return [place for place, task in zip(places, tasks, strict=True) if task.result()]
