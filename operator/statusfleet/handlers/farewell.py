"""The end of a fleet that was deleted: what `spec.deletion` says, then our finalizer goes.

Out of the sinks first; then, with `drain`, readers get the root's TTL to forget the members; then
the members stop, and identities are deleted where the manifest says so. Everything else belongs to
the fleet, and the cluster's garbage collector takes it. Each step may be repeated. Since when the
sinks show nothing is remembered, so that an operator that is restarted does not wait anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from statusfleet.api.fleet import StatusFleet
from statusfleet.plan import Observation, Plan, make_plan
from statusfleet.publishers.sink import Sink
from statusfleet.reconcile.publishing import TreeKeeper
from statusfleet.reconcile.showing import SinkState
from statusfleet.reconcile.status import moment
from statusfleet.store import CorruptStateError
from statusfleet.store.kubernetes import KubernetesStore
from statusfleet.worlds.kubernetes.world import KubernetesWorld

_SINK_RETRY_SECONDS: Final = 10.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wait:
    """What keeps a fleet from going: for how many seconds at the most, and why.

    `unpublished` says whether its tree is shown nowhere any more; `sinks`, where that is tried, how
    far each is.
    """

    seconds: float
    message: str
    unpublished: bool = False
    sinks: tuple[SinkState, ...] = ()


class Farewell:
    """Takes one fleet away."""

    def __init__(
        self,
        world: KubernetesWorld,
        trees: TreeKeeper,
        store: KubernetesStore,
        sinks: Callable[[StatusFleet, Observation], Iterable[Sink]],
        now: Callable[[], float],
        uid: str,
    ) -> None:
        """Take the fleet's parts; `uid` tells it from an earlier fleet of its name."""
        self._world = world
        self._trees = trees
        self._store = store
        self._sinks = sinks
        self._now = now
        self._uid = uid

    async def step(self, fleet: StatusFleet) -> Wait | None:
        """Go on as far as possible; None means that nothing is left to do.

        Raises:
            KubeError: the cluster does not answer.
            StoreError: the fleet's memory cannot be read.
        """
        try:
            return await self._go_on(fleet)
        except CorruptStateError as error:
            remedy = "or, to let the fleet go without it, delete that ConfigMap"
            raise CorruptStateError(f"{error}, {remedy}") from error

    async def _go_on(self, fleet: StatusFleet) -> Wait | None:
        # Only looked at: a fleet that goes gets no new keys and Services.
        still = fleet.model_copy(update={"spec": fleet.spec.model_copy(update={"paused": True})})
        observation = await self._world.observe(still)
        plan = make_plan(still, observation)
        wait = await self._unpublish(fleet, plan, observation)
        if wait is not None:
            return wait
        await self._world.probe(None)
        await self._world.prune(replace(plan, removed=tuple(observation.members)))
        if fleet.spec.deletion.identities == "Delete":
            await self._store.forget()
        return None

    async def _unpublish(
        self, fleet: StatusFleet, plan: Plan, observation: Observation
    ) -> Wait | None:
        if fleet.spec.deletion.tree == "Keep":
            return None
        await self._trees.recall()
        if self._trees.publication is None:
            return None
        since = (await self._store.read()).tree.withdrawn.get(self._uid)
        if since is None:
            wait = await self._withdraw(fleet, observation)
            if wait is not None:
                return wait
        now = self._now()
        if since is None or since > now:  # or the clock was put back meanwhile
            since, state = now, await self._store.read()
            tree = replace(state.tree, withdrawn={self._uid: since}, shown={})
            await self._store.write(replace(state, tree=tree))
        if plan.tree is None:
            return None
        until = since + self._trees.kept_seconds(plan.tree.root_ttl_seconds, now=since)
        if fleet.spec.deletion.drain and now < until:
            text = f"waiting until readers have forgotten the members, at {moment(until)}"
            return Wait(until - now, text, unpublished=True)
        return None

    async def _withdraw(self, fleet: StatusFleet, observation: Observation) -> Wait | None:
        """Take the tree from every sink; None means that it is gone, or stays for ever."""
        # Sinks that the spec named once are in the memory, those that it names may not be.
        for dropped in await self._trees.use(self._sinks(fleet, observation)):
            await dropped.close()
        states = await self._trees.unpublish()
        left = [state for state in states if state.progress != "Pending"]
        named = "; ".join(f"{s.name}: {s.problem or 'still published'}" for s in left)
        if left and self._store.ends:
            # What it would take may be gone already, and the namespace waits for nobody.
            _log.warning("fleet %s: its tree stays where it was (%s)", fleet.name, named)
        elif left:
            text = (
                f"the tree cannot be taken back ({named}); set spec.deletion.tree to Keep to "
                "leave it there"
            )
            return Wait(_SINK_RETRY_SECONDS, text, sinks=states)
        return None
