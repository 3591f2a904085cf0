"""The processes world: one `statusd` a member on 127.0.0.1, and the canary beside them.

It makes keys and ports once and keeps them in the data folder, writes each member's configuration
(with its key, so for its owner only), and leaves running to the supervisor and watching to the
monitor. A live change is a change of the configuration file, which a running member reads again;
only a new restart hash starts a process anew.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from statusfleet.api.fleet import StatusFleet
from statusfleet.plan import (
    Member,
    MemberId,
    Observation,
    ObservedMember,
    Plan,
    Seat,
    desired_members,
)
from statusfleet.store import FolderStore
from statusfleet.worlds.canary import LegDetail
from statusfleet.worlds.errors import WorldError
from statusfleet.worlds.processes import logfile
from statusfleet.worlds.processes.canary import NAME, CanaryRunner
from statusfleet.worlds.processes.child import Program, start
from statusfleet.worlds.processes.confidential import write_if_changed
from statusfleet.worlds.processes.monitor import Monitor, Watched
from statusfleet.worlds.processes.ports import PortHolder
from statusfleet.worlds.processes.probe import Health, ask
from statusfleet.worlds.processes.seats import STATUSD, SeatMaker, Secrets
from statusfleet.worlds.processes.supervisor import ChildState, Phase, Supervisor
from statusfleet.worlds.protocol import CanaryWish
from statusfleet.worlds.remember import keep_records
from statusnode import __version__
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record

CONFIG_NAME: Final = "config.json"
LOG_NAME: Final = "statusd.log"


@dataclass(frozen=True, slots=True)
class Detail:
    """What only this world knows of a member, for people who look at it."""

    pid: int | None
    starts: int
    peers: int
    envelopes: int
    rpc: str
    metrics: str


class ProcessesWorld:
    """Members as child processes; an async context manager that leaves none behind."""

    def __init__(
        self,
        store: FolderStore,
        *,
        now: Callable[[], float],
        changed: Callable[[], None],
        numbers_changed: Callable[[], None],
        recover: bool,
    ) -> None:
        """Take the data folder, the clock (unix seconds), and whom to wake when.

        `changed` is called when something happened that a plan may depend on, `numbers_changed`
        for what is only worth showing. With `recover` mailservers move corrupt archives aside.
        """
        self.secrets: Secrets = {}
        self._store = store
        self._now = now
        self._changed = changed
        self._numbers_changed = numbers_changed
        self._recover = recover
        self._holder = PortHolder()
        self._seat_maker = SeatMaker(store, self._holder)
        self._seats: dict[str, Seat] = {}
        self._ids: dict[str, MemberId] = {}
        self._down: dict[str, float] = {}  # since when a member does not run
        self._hashes: dict[str, str] = {}
        self._stack = AsyncExitStack()
        self._supervisor = Supervisor(start, _monotonic, self._child_changed)
        self._monitor: Monitor
        self._canary: CanaryRunner

    async def __aenter__(self) -> Self:
        import aiohttp

        async with AsyncExitStack() as stack:
            stack.callback(self._holder.close)
            session = await stack.enter_async_context(aiohttp.ClientSession())

            async def ask_member(port: int) -> Health:
                return await ask(session, port)

            self._monitor = await stack.enter_async_context(
                Monitor(ask_member, self._now, self._changed, self._numbers_changed)
            )
            await stack.enter_async_context(self._supervisor)
            self._canary = CanaryRunner(self._supervisor, self._store, self._changed)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, traceback)

    def kill(self) -> None:
        """End everything that still runs at once, without grace."""
        self._supervisor.kill()

    @property
    def problems(self) -> dict[str, str]:
        """What is wrong here, members say themselves (`World`)."""
        return {}

    @property
    def unapplied(self) -> frozenset[str]:
        """Nobody: files are written, or the pass fails (`World`)."""
        return frozenset()

    async def observe(self, fleet: StatusFleet) -> Observation:
        """Tell what is there; keys and ports that `fleet` lacks are made first (`World`)."""
        wanted = desired_members(fleet.spec)
        self._seats |= await self._seat_maker.seats(fleet, wanted)
        state = await self._store.read()
        members: dict[str, ObservedMember] = {}
        for member in wanted:
            self._ids[member.name] = member
            try:
                key = await self._seat_maker.key(fleet, member, self.secrets)
            except WorldError as error:
                members[member.name] = ObservedMember(member, message=str(error))
                continue
            members[member.name] = self._observed(member, key, state.record(member.name))
        for name in self._supervisor.states:
            if name not in members and name != NAME:
                members[name] = self._observed(self._ids[name], None, None)
        return Observation(
            members=members,
            canary_key=(await self._canary.key()).public_key,
            canary=self._canary.verdict(self._now()),
            secrets=self.secrets,
        )

    def _observed(
        self, member: MemberId, key: PrivateKey | None, record: Record | None
    ) -> ObservedMember:
        seat = self._seats[member.name]
        state = self._supervisor.states.get(member.name)
        watched = self._monitor.get(member.name)
        ready = watched is not None and watched.health.ready
        since = watched.since if watched else self._down.setdefault(member.name, self._now())
        return ObservedMember(
            id=member,
            key=key,
            seat=seat,
            dial=seat.listen,
            advertised=seat.listen,
            address_source="Loopback",
            running=state is not None and state.pid is not None,
            listening=ready,
            ready=ready,
            ready_since=since if ready else None,
            unready_since=None if ready else since,
            record=record,
            restart_hash=self._hashes.get(member.name),
            version=__version__,
            message=_problem(state, watched),
        )

    async def apply(self, plan: Plan) -> None:
        """Write configurations and run what the plan names (`World`)."""
        await keep_records(self._store, plan)
        for member in plan.members:
            path = await self._write_config(member)
            self._hashes[member.name] = member.restart_hash
            self._supervisor.run(self._program(member, path))
        await asyncio.to_thread(self._tidy, frozenset(self._supervisor.states))

    async def prune(self, plan: Plan) -> None:
        """Stop what the plan names as removed; folders stay (`World`)."""
        await self._supervisor.stop(plan.removed)
        for name in plan.removed:
            self._hashes.pop(name, None)
            self._monitor.forget(name)
        await asyncio.to_thread(self._tidy, frozenset(self._supervisor.states))

    async def probe(self, wish: CanaryWish | None) -> None:
        """Run the canary as told, or not at all (`World`)."""
        await self._canary.run(wish)

    def details(self) -> Mapping[str, Detail]:
        """Return what is worth showing of each member that has a seat."""
        states = self._supervisor.states
        return {name: self._detail(name, states.get(name)) for name in self._seats}

    def canary_legs(self) -> tuple[LegDetail, ...]:
        """Return the parts of the canary's last run; nothing before the first."""
        return self._canary.legs

    def _detail(self, name: str, state: ChildState | None) -> Detail:
        seat, watched = self._seats[name], self._monitor.get(name)
        return Detail(
            pid=state.pid if state else None,
            starts=state.starts if state else 0,
            peers=watched.health.peers if watched else 0,
            envelopes=watched.health.envelopes if watched else 0,
            rpc=f"http://{seat.rpc}",
            metrics=f"http://{seat.metrics}/metrics",
        )

    async def _write_config(self, member: Member) -> Path:
        path = self._store.member_folder(member.name) / CONFIG_NAME
        text = json.dumps(member.whole_config, indent=2).encode()
        await asyncio.to_thread(write_if_changed, path, text)
        return path

    def _program(self, member: Member, config: Path) -> Program:
        seat = member.seat
        return Program(
            name=member.name,
            module=STATUSD,
            arguments=(
                *("-c", str(config), "-fleet", ""),
                *("-metrics", "-metrics-port", str(seat.metrics.tcp)),
                *(("-recover",) if self._recover else ()),
            ),
            log=config.with_name(LOG_NAME),
            listens=tuple((at.host, at.tcp) for at in (seat.listen, seat.rpc, seat.metrics)),
            revision=member.restart_hash,
        )

    def _tidy(self, running: frozenset[str]) -> None:
        """Bound the logs, and take away the configurations of members that are no more.

        Which members have one says who belongs to the fleet, and the file holds a key.
        """
        for folder in (self._store.path / "members").glob("*-*"):
            if folder.name in running:
                logfile.bound(folder / LOG_NAME)
            else:
                (folder / CONFIG_NAME).unlink(missing_ok=True)

    def _child_changed(self, name: str) -> None:
        """React to the supervisor: watch what runs, forget what does not."""
        state = self._supervisor.states.get(name)
        if name != NAME:
            if state is not None and state.pid is not None:
                self._down.pop(name, None)
                self._monitor.watch(name, state.pid, self._seats[name].metrics.tcp)
            else:
                self._monitor.forget(name)
        self._changed()


def _monotonic() -> float:
    return asyncio.get_running_loop().time()


def _problem(state: ChildState | None, watched: Watched | None) -> str:
    """Say why a member is not ready, in the words of whoever knows best; "" while it starts."""
    if state is None:
        return ""
    if state.phase is not Phase.RUNNING or watched is None:
        return state.problem
    if watched.health.ready or watched.health.reason or not watched.ever_ready:
        return watched.health.reason
    return "does not answer any more"
