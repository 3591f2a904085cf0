"""One fleet on a real cluster, driven pass by pass as its loop would do it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from statusfleet.api.fleet import StatusFleet
from statusfleet.api.manifest import parse_fleet
from statusfleet.kube import KubeClient, NotFoundError
from statusfleet.plan import Observation, Plan, make_plan
from statusfleet.reconcile.probing import canary_wish
from statusfleet.store.kubernetes import KubernetesStore
from statusfleet.worlds.kubernetes.names import Owner
from statusfleet.worlds.kubernetes.records import Snapshot
from statusfleet.worlds.kubernetes.world import KubernetesWorld
from support import kube_snapshot
from support.manifest_tables import manifest

NAME = "eth-dev"
PATIENCE_SECONDS = 150.0


class Stage:
    """A world, its client and its memory; an async context manager."""

    def __init__(self, kubeconfig: str, namespace: str, image: str) -> None:
        self.kubeconfig = kubeconfig
        self.namespace = namespace
        self.image = image
        self.writes = 0
        self.most_writes = math.inf
        """After so many writes the operator leads no more: how tests cut it off anywhere."""
        self.resolved: dict[str, tuple[str, ...]] = {}
        self.snapshot = Snapshot()

    async def __aenter__(self) -> Self:
        self.client = await KubeClient.connect(self.kubeconfig, may_write=self._count)
        self.store = KubernetesStore(self.client, self.namespace, NAME)
        body = manifest({"roles": {"relayer": {}}}, NAME)
        body["metadata"]["namespace"] = self.namespace
        await self._until_known(body)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.world.__aexit__(kind, error, traceback)
        await self.client.close()

    async def _until_known(self, body: dict[str, Any]) -> None:
        """Make the object that owns the others; its kind may have been defined a moment ago."""
        for _ in range(50):
            try:
                made = await self.client.apply(body)
            except NotFoundError:
                await asyncio.sleep(0.2)
            else:
                await self.begin(made["metadata"]["uid"])
                return
        raise AssertionError("the cluster does not know StatusFleet")

    async def begin(self, uid: str, image: str = "") -> None:
        """Have a world of one's own, as an operator that has just started."""
        self.owner = Owner(self.namespace, NAME, uid)
        self.world = KubernetesWorld(
            self.client,
            self.store,
            lambda: self.snapshot,
            self.owner,
            image=image or self.image,
            now=time.time,
            changed=lambda: None,
            look_up=self._look_up,
        )
        await self.world.__aenter__()

    async def restart_operator(self, image: str = "") -> None:
        """End the world and begin another; what is on the cluster stays."""
        await self.world.__aexit__(None, None, None)
        await self.begin(self.owner.uid, image)

    def fleet(self, spec: dict[str, Any], **annotations: str) -> StatusFleet:
        body = manifest(spec, NAME)
        named = {f"statusfleet.io/{key}": value for key, value in annotations.items()}
        body["metadata"] |= {"namespace": self.namespace, "annotations": named}
        found, problems = parse_fleet(body)
        assert found is not None, problems
        return found

    async def look(self) -> Snapshot:
        self.snapshot = await kube_snapshot.take(self.client, self.namespace, NAME)
        return self.snapshot

    async def turn(self, fleet: StatusFleet) -> tuple[Plan, Observation]:
        """Make one pass: observe, plan, apply."""
        await self.look()
        observation = await self.world.observe(fleet)
        plan = make_plan(fleet, observation)
        await self.world.apply(plan)
        return plan, observation

    async def until(
        self, fleet: StatusFleet, holds: Callable[[Plan, Observation], bool]
    ) -> tuple[Plan, Observation]:
        """Make passes until something holds of one."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            plan, observation = await self.turn(fleet)
            if holds(plan, observation):
                return plan, observation
            assert time.monotonic() < end, {
                name: (member.ready, member.message) for name, member in observation.members.items()
            } | {"problems": dict(observation.problems)}
            await asyncio.sleep(0.5)

    async def grown(self, fleet: StatusFleet) -> tuple[Plan, Observation]:
        """Make passes until every member is ready and has its record."""
        return await self.until(fleet, all_ready)

    async def probe(self, fleet: StatusFleet, plan: Plan, observation: Observation) -> None:
        await self.world.probe(canary_wish(fleet, plan, observation))

    async def _look_up(self, name: str) -> tuple[str, ...]:
        if name not in self.resolved:
            raise OSError("no such name")
        return self.resolved[name]

    def _count(self) -> bool:
        self.writes += 1
        return self.writes <= self.most_writes


def all_ready(plan: Plan, observation: Observation) -> bool:
    """Tell whether every member is ready and has a record."""
    members = [observation.members[member.name] for member in plan.members]
    return (
        not plan.waiting and all(m.record for m in plan.members) and all(m.ready for m in members)
    )
