"""One fleet's own task: looks at its fleet whenever it is woken, and writes its status.

Nobody else writes that status, and one fleet's trouble is nobody else's: a pass that fails is made
again, sooner or later by what went wrong, and the next time stands in the status. At most so many
passes as there are turns are made at a time in the whole operator, a few of them for what nobody
waits for. Waiting for sinks is no part of a turn: a DNS server that does not answer holds up the
fleets that publish there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from statusfleet.api.fleet import StatusFleet
from statusfleet.api.manifest import fleet_problems, parse_fleet
from statusfleet.api.problems import Path, path_text
from statusfleet.api.secrets import secret_uses
from statusfleet.api.status import ConditionType, Phase
from statusfleet.canary.knock import knocker
from statusfleet.handlers.failures import LONGEST_RETRY_SECONDS, Failures, jittered
from statusfleet.handlers.farewell import Farewell
from statusfleet.handlers.inheritance import Inheritance
from statusfleet.handlers.kept import is_awaited, is_news, once, slim
from statusfleet.handlers.mending import Restorer
from statusfleet.handlers.notices import Noticeboard, Patience, left, restarts, unused
from statusfleet.handlers.numbers import Outcome
from statusfleet.handlers.orphaning import GARBAGE_COLLECTOR_SECONDS, Orphaning
from statusfleet.handlers.recollection import namesakes, reached, served
from statusfleet.handlers.slot import Slot
from statusfleet.handlers.surroundings import Surroundings
from statusfleet.kube.errors import (
    KubeError,
    NotFoundError,
    NotLeaderError,
)
from statusfleet.kube.kinds import STATUS_FLEET, JsonDict, Kind
from statusfleet.kube.names import FINALIZER
from statusfleet.kube.requests import metadata, named
from statusfleet.plan import Observation
from statusfleet.publishers.build import SinkBuilder
from statusfleet.publishers.objects import Owner as SinkOwner
from statusfleet.publishers.sink import Sink
from statusfleet.reconcile.conditions import Finding
from statusfleet.reconcile.fleet import Reconciler, Report
from statusfleet.reconcile.loop import Wakeful
from statusfleet.reconcile.publishing import TreeKeeper
from statusfleet.reconcile.reachable import DialBack
from statusfleet.reconcile.reasons import Reason
from statusfleet.reconcile.status import Status, fleet_status, going_status, moment, troubled_status
from statusfleet.store import StoreError
from statusfleet.store.kubernetes import KubernetesStore
from statusfleet.worlds.errors import WorldError
from statusfleet.worlds.kubernetes.dialing import NodeDialing
from statusfleet.worlds.kubernetes.names import Owner
from statusfleet.worlds.kubernetes.records import Snapshot
from statusfleet.worlds.kubernetes.world import KubernetesWorld
from statusfleet.worlds.protocol import Vantage
from statusnode.crypto.keys import PrivateKey

RESYNC_SECONDS: Final = 300.0
_SECRETS_SECONDS: Final = 30.0
_MISSING_SECRET_SECONDS: Final = 3.0
_MOST_PROBLEMS: Final = 3
_log = logging.getLogger(__name__)


class FleetTask:
    """Looks after one fleet, from the moment it is seen to the moment it is gone."""

    def __init__(self, around: Surroundings, body: JsonDict) -> None:
        metadata = body["metadata"]
        self.owner = Owner(metadata["namespace"], metadata["name"], metadata["uid"])
        self._around = around
        self._body = slim(body, {})
        self._status: Mapping[str, Any] = self._body["status"]
        # The status that we wrote last, or are writing, and what it then was.
        self._written: tuple[Mapping[str, Any] | None, Mapping[str, Any] | None] = None, None
        self._right: JsonDict | None = None  # the body of the newest spec that was right
        self._seen: Snapshot | None = None
        self._failures = Failures()
        self._awaited = is_awaited(self._body)
        self._loop = Wakeful(self._step)
        self._store = KubernetesStore(
            around.client, self.owner.namespace, self.owner.name, watched=self._version
        )
        self._world = KubernetesWorld(
            around.client,
            self._store,
            self._snapshot,
            self.owner,
            image=around.image,
            now=around.now,
            changed=self._loop.wake,
        )
        sink_owner = SinkOwner(self.owner.namespace, self.owner.name, self._version)
        self._builder = SinkBuilder(around.client, sink_owner)
        self._slot = Slot(around.slots)
        self._trees = TreeKeeper(
            self._store,
            (),
            around.now,
            waiting=self._slot.waiting,
            reach=self._builder.again,
            served=served(self._status),
            namesakes=partial(namesakes, around.numbers.statuses, self.fleet_id),
            ended=self._loop.wake,
        )
        self._dialing = NodeDialing(
            around.client,
            self.owner,
            self._snapshot,
            lambda: self._parsed()[0],
            image=around.image,
            wanted=around.dial_from_nodes,
            slots=around.pods,
            reached=reached(self._status),
        )
        self._dial_back = DialBack(
            Vantage(around.vantage, knocker(PrivateKey.generate())),
            around.now,
            self._loop.wake,
            required=around.reach_first,
            elsewhere=self._dialing.vantage,
            pace=around.dials,
        )
        self._reconciler = Reconciler(
            self._world,
            self._trees,
            self._store,
            around.now,
            grace_seconds=around.grace_seconds,
            sinks=self._sinks,
            restarter=self._world,
            dial_back=self._dial_back,
        )
        self._farewell = Farewell(
            self._world, self._trees, self._store, self._sinks, around.now, self.owner.uid
        )
        self._board = Noticeboard(around.client, self.owner)
        self._patience = Patience()
        self._orphaning = Orphaning(around.client, self.owner, self._board, around.now)
        self._restorer = Restorer(self._store, self._builder.again, self._board, around.now)
        self._inheritance = Inheritance(self._status)

    @property
    def fleet_id(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.owner.namespace, self.owner.name

    @property
    def body(self) -> JsonDict:
        """The fleet as it was last seen."""
        return self._body

    def see(self, body: JsonDict) -> None:
        """Take the fleet as it stands now; only what is not our own doing wakes us."""
        before, self._body = self._body, slim(body, self._status)
        if self._body["status"] != self._written[1]:
            self._status = self._body["status"]
        if is_news(before, self._body, self._written):
            self._await()
            self._loop.wake()
        elif self._right is before:
            self._right = self._body  # the same spec: of a thousand fleets, two would take 20 MiB

    def wake(self, *, chore: bool = False) -> None:
        """Have the fleet looked at soon: something of it has changed, or of all, for a chore."""
        self._seen = None
        self._dialing.look()
        if not chore:
            self._await()
        self._loop.wake()

    async def run(self) -> None:
        """Look after the fleet until cancelled."""
        async with self._world, self._trees, asyncio.TaskGroup() as group:
            group.create_task(self._dial_back.run())
            await self._loop.run()

    # ── what is seen ──

    def _snapshot(self) -> Snapshot:
        if self._seen is None:
            self._seen = self._around.snapshot(self.fleet_id)
        return self._seen

    def _version(self, kind: Kind, name: str) -> str | None:
        child = self._snapshot().children.get((kind.kind, name))
        return str(child.version) if child is not None else None

    def _sinks(self, fleet: StatusFleet, observation: Observation) -> tuple[Sink, ...]:
        publish = fleet.spec.tree.publish if fleet.spec.tree is not None else ()
        return self._builder.build(publish, observation.secrets)

    # ── a pass ──

    def _await(self) -> None:
        """Have the next look, also one that waits for its turn already, come before all chores."""
        self._awaited = True
        self._slot.hurry()

    async def _step(self) -> float:
        async with self._slot.turn(chore=not self._awaited):
            self._awaited = False
            started = asyncio.get_running_loop().time()
            outcome: Outcome = "done"
            try:
                wait, outcome = await self._look()
                self._failures.clear()
            except (KubeError, StoreError, WorldError) as error:
                wait, outcome = await self._failed(error)
            except Exception as error:  # noqa: BLE001 - one fleet's fault must not end the others
                _log.exception("fleet %s/%s: a fault of the operator", *self.fleet_id)
                wait, _ = await self._failed(error)
                outcome = "crashed"
            took = asyncio.get_running_loop().time() - started
            self._seen = None
            self._world.rest()
        self._around.numbers.passed(outcome, took)
        self._around.numbers.statuses[self.fleet_id] = self._status
        return wait

    async def _look(self) -> tuple[float, Outcome]:
        if deleted := await self._orphaning.deletion(self._snapshot()):
            self._body = slim(deleted, self._status)
        if self._body["metadata"].get("deletionTimestamp"):
            return await self._take_away(), "done"
        fleet, problems = self._parsed()
        wrong = "; ".join(f"{path_text(path)}: {text}" for path, text in problems[:_MOST_PROBLEMS])
        if fleet is None:
            finding = Finding(ConditionType.READY, "False", Reason.INVALID_SPEC, wrong)
            await self._tell([finding], "Degraded")
            return RESYNC_SECONDS, "invalid"
        if not fleet.spec.paused:
            await self._hold()
            await self._restorer.restore(self._status, self._failures.count)
            await self._dialing.sweep()
        report = await self._reconciler.reconcile(fleet, wrong)
        self._around.numbers.ran(self.fleet_id, fleet.spec.canary, report.observation.canary)
        now = self._around.now()
        report = self._inheritance.fill(report, fleet.metadata.generation, now)
        said = [*restarts(report.restarted), *left(report.left), *unused(fleet, self._status)]
        self._around.numbers.restarts += len(report.restarted)
        await self._write(fleet_status(fleet, report, self._status, now), said)
        soon = min(filter(None, (self._patience.next_look, self._world.retry_at)), default=None)
        return _next_look(fleet, report, soon, now), "done"

    def _parsed(self) -> tuple[StatusFleet | None, list[tuple[Path, str]]]:
        """Return the fleet to go by and what is wrong with the newest spec.

        A wrong one never stops a fleet that this process has seen right: that goes on as it was.
        """
        # In models, which are made anew each time, a thousand fleets would take 15 MiB.
        body, right = self._body, self._right
        fleet, problems = _parse(body)
        known = _parse(right)[0] if right is not None and right is not body else None
        if fleet is not None and known is not None and not problems:
            problems = fleet_problems(fleet, known)
        if fleet is not None and not problems:
            self._right = body
            return fleet, []
        if known is None:
            return None, problems
        generation = {"generation": body["metadata"].get("generation", 0)}
        still = known.metadata.model_copy(update=generation)
        return known.model_copy(update={"metadata": still}), problems

    # ── the finalizer, and the end ──

    async def _hold(self) -> None:
        """Have our finalizer on the fleet before anything of it is made."""
        if FINALIZER in (self._body["metadata"].get("finalizers") or ()):
            return
        answer = await self._around.client.apply(self._own([FINALIZER]))
        self._body = slim(answer, self._status)

    def _own(self, finalizers: list[str]) -> JsonDict:
        """What of the object itself is ours."""
        about = metadata(self.owner.namespace, self.owner.name) | {"uid": self.owner.uid}
        return named(STATUS_FLEET) | {"metadata": {**about, "finalizers": finalizers}}

    async def _take_away(self) -> float:
        if FINALIZER not in (self._body["metadata"].get("finalizers") or ()):
            return RESYNC_SECONDS
        self._dial_back.rest()
        if await self._orphaning.is_wanted(self._body):
            if await self._orphaning.let_go(self._body):
                await self._release()
            return GARBAGE_COLLECTOR_SECONDS
        await self._restorer.mend(self._status, self._failures.count)
        # What is wrong with a spec does not keep its fleet from going as it says.
        fleet = self._parsed()[0] or _parse(self._body)[0]
        wait = await self._farewell.step(fleet) if fleet is not None else None
        if wait is None:
            await self._release()
            return RESYNC_SECONDS
        facts = (wait.message, self._generation, self._status, self._around.now())
        await self._write(going_status(*facts, unpublished=wait.unpublished, sinks=wait.sinks))
        return wait.seconds

    async def _release(self) -> None:
        """Take our finalizer from the fleet: nothing is left to do."""
        with suppress(NotFoundError):
            answer = await self._around.client.apply(self._own([]))
            self._body = slim(answer, self._status)

    # ── what is said ──

    async def _failed(self, error: Exception) -> tuple[float, Outcome]:
        if isinstance(error, NotLeaderError):
            return RESYNC_SECONDS, "retry"
        failure = self._failures.add(error, self._around.now())
        level = logging.WARNING if failure.is_news else logging.DEBUG
        _log.log(level, "fleet %s/%s: %s", *self.fleet_id, error)
        if failure.blocked:
            finding = Finding(ConditionType.READY, "False", Reason.BLOCKED, str(error))
            await self._try_to_tell([finding], "Degraded")
        elif failure.lasting:
            again = moment(self._around.now() + failure.wait_seconds)
            text = f"{error or type(error).__name__}; tried again at {again}"
            await self._try_to_tell(
                [Finding(ConditionType.PROGRESSING, "True", Reason.RETRYING, text)]
            )
        return failure.wait_seconds, "blocked" if failure.blocked else "retry"

    async def _try_to_tell(self, findings: Iterable[Finding], phase: Phase | None = None) -> None:
        try:
            await self._tell(findings, phase)
        except KubeError as error:
            _log.debug("fleet %s/%s: its status is not written: %s", *self.fleet_id, error)

    @property
    def _generation(self) -> int:
        return int(self._body["metadata"].get("generation") or 0)

    async def _tell(self, findings: Iterable[Finding], phase: Phase | None = None) -> None:
        facts = (self._generation, self._status, self._around.now())
        await self._write(troubled_status(findings, *facts, phase=phase))

    async def _write(self, status: Status, said: Iterable[Any] = ()) -> None:
        """Write a status that says something else than the one in the object, and tell of it."""
        before = self._status
        if self._written != (status, before):
            if status != before:
                self._written = status, None  # a watch may show it before the answer is here
                answer = await self._around.client.patch_status(
                    STATUS_FLEET, self.owner.namespace, self.owner.name, status
                )
                self._status = once(answer.get("status") or {})
            # Mostly the same twice: it is kept once.
            self._written = status if status != self._status else self._status, self._status
        now = self._around.now()
        await self._board.post([*said, *self._patience.notices(before, status, now)], now)


def _parse(body: JsonDict) -> tuple[StatusFleet | None, list[tuple[Path, str]]]:
    return parse_fleet({key: value for key, value in body.items() if key != "status"})


def _next_look(fleet: StatusFleet, report: Report, soon: float | None, now: float) -> float:
    """Return after how many seconds to look again if nothing happens."""
    wait = jittered(RESYNC_SECONDS)
    # Nobody tells of others' Secrets; where one is missing, somebody is about to make it.
    uses = {use.ref.value_id for use in secret_uses(fleet.spec)}
    if uses:
        there = uses <= report.observation.secrets.keys()
        wait = min(wait, jittered(_SECRETS_SECONDS if there else _MISSING_SECRET_SECONDS))
    if report.observation.problems or any(w.lacks == "key" for w in report.plan.waiting):
        wait = min(wait, LONGEST_RETRY_SECONDS)
    dates = (date for date in (report.next_look, soon) if date is not None)
    return min([wait, *(max(0.0, date - now) for date in dates)])
