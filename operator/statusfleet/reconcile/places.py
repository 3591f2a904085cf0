"""All sinks of one fleet, and what is under way at each.

An *errand* at a sink goes through the steps of a publication one after the other; each sink has its
own, and no step of one is waited for by another, but for a moment: a root moves a second after the
first has all entries everywhere, or sooner, when all have. So where the servers of several sinks
stand side by side in one zone, a reader of theirs meets no missing entry. What fails is kept with
its sink.

A pass waits for errands for a while only. Then those that are left go on beside it, nobody waits
for such a sink again until it was quick, and whoever makes passes is told when it has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Final

from statusfleet.publishers.sink import Sink, Target, TwinTreeError, check_ours
from statusfleet.reconcile.place import Place
from statusfleet.reconcile.showing import SinkState
from statusfleet.reconcile.twins import Familiar, Namesakes, Twins
from statusnode.records.tree import Link

_PATIENCE_SECONDS: Final = 2.0
_TOGETHER_SECONDS: Final = 1.0
_RIVALRY: Final = 2
"""How often a tree is taken for it to be no accident."""

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
        ended: Callable[[], None] | None,
    ) -> None:
        """Take the sinks; `ended` is told of errands that nobody has waited for.

        Without it, every errand is waited for.
        """
        self._namesakes = namesakes
        self._twins = Twins()
        self._places = [Place(sink) for sink in sinks]
        self._now = now
        self._waiting = waiting
        self._ended = ended

    @property
    def every(self) -> tuple[Place, ...]:
        """All of them, in the order of the spec."""
        return tuple(self._places)

    @property
    def states(self) -> tuple[SinkState, ...]:
        """How far each sink is, as last seen."""
        return tuple(place.state for place in self._places)

    @property
    def roots(self) -> frozenset[str]:
        """The roots that the sinks hold, or that readers were seen to get there."""
        held = (place.root for place in self._places if place.met and place.root is not None)
        return frozenset(held).union(*(place.seen for place in self._places))

    @property
    def tried(self) -> bool:
        """Whether something was done at each of them, so that what its readers hold is known."""
        return all(place.tried for place in self._places)

    @property
    def busy(self) -> bool:
        """Whether something is under way at one of them."""
        return any(place.errand is not None for place in self._places)

    @property
    def retry_at(self) -> float | None:
        """When to try again at the first of them (Unix seconds), None where nothing is wrong."""
        times = [place.retry_at for place in self._places if place.retry_at is not None]
        return min(times, default=None)

    @property
    def any_served(self) -> bool:
        """Whether one of them has taken a tree."""
        return any(place.served is not None for place in self._places)

    @property
    def problem(self) -> str:
        """What is wrong with them, "" for nothing."""
        problems = [(p.sink.name, p.trouble) for p in self._places if p.problem]
        if len(self._places) == 1:
            return "".join(problem for _, problem in problems)
        return "; ".join(f"{name}: {problem}" for name, problem in problems)

    @property
    def rivalry(self) -> str:
        """What to say where somebody else goes on putting trees of our key in the place of ours."""
        names = [place.sink.name for place in self._places if place.displaced >= _RIVALRY]
        if not names:
            return ""
        return (
            "another operator that has the same keys takes this tree's place again and again at "
            f"{', '.join(names)}, as this one takes the place of the other's: stop one of the two"
        )

    async def use(self, sinks: Iterable[Sink]) -> tuple[Sink, ...]:
        """Have these sinks from now on; return those that are not used any more.

        What is known of a sink that stays is kept.
        """
        known = {id(place.sink): place for place in self._places}
        self._places = [known.pop(id(sink)) if id(sink) in known else Place(sink) for sink in sinks]
        await _stop(known.values())
        return tuple(place.sink for place in known.values())

    async def stop(self) -> None:
        """End what is under way; where that was, nothing is known any more."""
        await _stop(self._places)

    async def forget(self) -> None:
        """Have every sink looked at anew with the next step."""
        await self.stop()
        for place in self._places:
            place.forget()

    def hurry(self) -> None:
        """Have every sink tried with the next step: what was tried before was another tree."""
        for place in self._places:
            place.hurry()

    def schedule(self, target: Target) -> None:
        """Have those that do not show the target yet tried again, also where nothing was tried.

        A slow one need not be: at the end of what was done there, the next pass was called for.
        """
        for place in self._places:
            idle = place.errand is None and not place.slow
            if idle and place.proved != target and place.retry_at is None:
                place.schedule(self._now(), done=False)

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

    async def meet(
        self, link: Link, known: str | None, familiar: Familiar, *, patient: bool = False
    ) -> None:
        """Look at the roots of sinks that were not met yet, or that somebody has touched since.

        Another root than the `known` one may be somebody else's: `familiar` tells by its nodes.
        With `patient`, every sink is looked at and waited for.
        """
        self._collect()
        now = self._now()
        for place in self._places:
            if place.errand is None and place.sink.touched():
                place.forget()
        due = [p for p in self._places if not p.met and (patient or p.is_due(now))]
        await self._send({p: self._meet(p, link, known, familiar) for p in due}, patient=patient)

    async def bring(self, target: Target) -> None:
        """Bring the target to every sink that can take it, and read it back there."""
        now = self._now()
        free = [place for place in self._places if place.met and place.is_due(now)]
        due = [place for place in free if not place.has(target, now) or place.proved != target]
        # Whoever was in trouble may be so again.
        together = _Together(place for place in due if not place.problem)
        for place in due:
            place.begin(target)
        await self._send({place: self._bring(place, target, together) for place in due})

    async def _send(
        self, errands: Mapping[Place, Coroutine[Any, Any, None]], *, patient: bool = False
    ) -> None:
        """Have errands begin, and wait for a while until they end.

        Raises what an errand raises.
        """
        patient = patient or self._ended is None
        for place, errand in errands.items():
            place.errand = asyncio.create_task(self._timed(place, errand))
        awaited = [place for place in errands if patient or not place.slow]
        tasks = [place.errand for place in awaited if place.errand is not None]
        if tasks:
            async with self._waiting():
                await asyncio.wait(tasks, timeout=None if patient else _PATIENCE_SECONDS)
        self._collect()
        for place in errands:
            if place.errand is not None:
                place.left_alone()

    async def _timed(self, place: Place, errand: Coroutine[Any, Any, None]) -> None:
        """Run an errand; tell of its end if nobody waits for it."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await errand
        finally:
            if self._ended is not None:
                is_left, place.slow = place.slow, loop.time() - began > _PATIENCE_SECONDS
                if is_left:
                    self._ended()

    def _collect(self) -> None:
        """Take note of the errands that have ended; raise what the first of them raised."""
        faults = []
        for place in self._places:
            if place.errand is not None and place.errand.done():
                fault, place.errand = place.errand.exception(), None
                faults += [fault] if fault is not None else []
        if faults:
            raise faults[0]

    async def withdraw(self, target: Target, shown: Collection[str]) -> None:
        """Take the target away from every sink that was met; raises nothing, as the others.

        `shown` names the sinks that may show it, where that is known: any other never took it.
        """
        places = [place for place in self._places if place.met]
        for place in await self._on(places, lambda place: place.sink.withdraw(target)):
            place.withdrawn()
        for place in self._places:
            never_took = bool(shown) and not place.met and place.sink.name not in shown
            if place.foreign or never_took:  # nothing of ours is there to be taken away
                place.progress, place.problem = "Pending", ""

    async def _meet(self, place: Place, link: Link, known: str | None, familiar: Familiar) -> None:
        if not await place.attempt(lambda place: self._look(place, link, known, familiar)):
            place.schedule(self._now(), done=False)

    async def _look(self, place: Place, link: Link, known: str | None, familiar: Familiar) -> None:
        text = await place.sink.root(link.domain)
        if text is not None:
            check_ours(text, link)
        before, place.root = place.root, text
        if text not in (None, known):
            place.beside = max(place.beside, place.seq)
            if await self._twins.is_twin(place.sink, link, text, familiar):
                raise TwinTreeError(link.domain, self._namesakes(str(link)))
            place.displaced += before not in (None, text)
        place.met = True

    async def _bring(self, place: Place, target: Target, together: _Together) -> None:
        try:
            there = place.has(target, self._now()) or await self._take(place, target, together)
        finally:
            together.arrive(place)
        if there:
            await place.prove(target)
        place.schedule(self._now(), done=place.proved == target)

    async def _take(self, place: Place, target: Target, together: _Together) -> bool:
        """Go through the steps at one sink; return whether it serves the target."""
        if not await place.attempt(lambda place: place.sink.prepare(target)):
            return False
        await together.meet(place)
        if not await place.attempt(lambda place: place.sink.move(target, place.root)):
            return False
        place.root = target.root
        if not await place.attempt(lambda place: place.sink.tidy(target)):
            return False
        place.end(target, self._now())
        return True

    async def _on(
        self, places: Sequence[Place], act: Callable[[Place], Awaitable[None]]
    ) -> list[Place]:
        """Act on places at the same time; return those where it worked."""
        if not places:
            return []
        async with self._waiting(), asyncio.TaskGroup() as group:
            tasks = [group.create_task(place.attempt(act)) for place in places]
        return [place for place, task in zip(places, tasks, strict=True) if task.result()]


class _Together:
    """Where errands meet that have got so far, for a moment."""

    def __init__(self, expected: Iterable[Place]) -> None:
        self._missing = set(expected)
        self._all_there = asyncio.Event()

    def arrive(self, place: Place) -> None:
        """Wait for this one no more."""
        self._missing.discard(place)
        if not self._missing:
            self._all_there.set()

    async def meet(self, place: Place) -> None:
        """Wait for those that are expected."""
        self.arrive(place)
        with suppress(TimeoutError):
            async with asyncio.timeout(_TOGETHER_SECONDS):
                await self._all_there.wait()


async def _stop(places: Iterable[Place]) -> None:
    """End what is under way at some places; what came of it is to be looked at."""
    busy = {place: place.errand for place in places if place.errand is not None}
    for task in busy.values():
        task.cancel()
    await asyncio.gather(*busy.values(), return_exceptions=True)
    for place in busy:
        place.errand = place.served = place.proved = None
        place.forget()
