"""A pretended world and a pretended DNS for tests of what reconcile decides; the store is real."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from statusfleet.api import StatusFleet
from statusfleet.plan import (
    CanaryVerdict,
    Endpoint,
    MemberId,
    Observation,
    ObservedMember,
    Plan,
    Seat,
    desired_members,
)
from statusfleet.publishers.sink import SeenTree, SinkError, WholeZone
from statusfleet.reconcile.fleet import Reconciler, Report
from statusfleet.reconcile.publishing import TreeKeeper
from statusfleet.reconcile.reachable import DialBack
from statusfleet.store import FolderStore
from statusfleet.tree.zone import Zone
from statusfleet.worlds.protocol import CanaryWish
from statusnode.crypto.keys import PrivateKey
from statusnode.records.tree import SignedTree


def manifest(**spec: Any) -> StatusFleet:
    """Return two relayers, a mailserver and a tree, changed by `spec`; None leaves a part out."""
    document: dict[str, Any] = {
        "apiVersion": "statusfleet.io/v1alpha1",
        "kind": "StatusFleet",
        "metadata": {"name": "test"},
        "spec": {
            "roles": {"relayer": {"replicas": 2}, "mailserver": {"replicas": 1}},
            "tree": {"domain": "nodes.test.example", "ttl": {"root": "5s"}},
            **spec,
        },
    }
    document["spec"] = {key: value for key, value in document["spec"].items() if value is not None}
    return StatusFleet.model_validate_json(json.dumps(document))


def with_relayers(count: int, **spec: Any) -> StatusFleet:
    roles = {"relayer": {"replicas": count}, "mailserver": {"replicas": 1}}
    return manifest(roles=roles, **spec)


class FakeWorld:
    """Members run when applied; they are ready when the test says so."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.keys: dict[str, PrivateKey] = {}
        self.ids: dict[str, MemberId] = {}
        self.running: dict[str, str] = {}
        self.ready: set[str] = set()
        self.messages: dict[str, str] = {}
        self.refuses: dict[str, str] = {}
        """What cannot be applied, which is found out by trying."""
        self.problems: dict[str, str] = {}
        self.unapplied: frozenset[str] = frozenset()
        self.unready_since: dict[str, float] = {}
        self.moved: dict[str, Endpoint | None] = {}
        """Where members are reached that have moved; None: nowhere."""
        self.verdict: CanaryVerdict | None = None
        self.canary: CanaryWish | None = None
        self.applied: list[Plan] = []
        self.stopped: list[tuple[float, str]] = []
        self.probes = 0

    async def observe(self, fleet: StatusFleet) -> Observation:
        for member in desired_members(fleet.spec):
            self.ids[member.name] = member
            self.keys.setdefault(member.name, PrivateKey.generate())
        wanted = {member.name for member in desired_members(fleet.spec)}
        names = [name for name in self.ids if name in wanted or name in self.running]
        records = {m.name: m.record for plan in self.applied for m in plan.members}
        return Observation(
            members={name: self._member(name, records.get(name)) for name in names},
            canary_key=PrivateKey(b"\x22" * 32).public_key,
            canary=self.verdict,
            problems=self.problems,
        )

    def _member(self, name: str, record: Any) -> ObservedMember:
        at = Endpoint("127.0.0.1", 20_000 + 10 * list(self.ids).index(name))
        ready = name in self.ready and name in self.running
        if ready:
            self.unready_since.pop(name, None)
        else:
            self.unready_since.setdefault(name, self.now())
        return ObservedMember(
            id=self.ids[name],
            key=self.keys[name],
            seat=Seat(at, replace(at, tcp=at.tcp + 1), replace(at, tcp=at.tcp + 2), f"/d/{name}"),
            dial=at,
            advertised=self.moved.get(name, at),
            record=record,
            running=name in self.running,
            ready=ready,
            unready_since=self.unready_since.get(name),
            restart_hash=self.running.get(name),
            message=self.messages.get(name, ""),
        )

    async def apply(self, plan: Plan) -> None:
        self.applied.append(plan)
        self.problems = dict(self.refuses)
        for member in plan.members:
            if member.name not in self.messages:
                self.running[member.name] = member.restart_hash

    async def prune(self, plan: Plan) -> None:
        for name in plan.removed:
            del self.running[name]
            self.stopped.append((self.now(), name))

    async def probe(self, wish: CanaryWish | None) -> None:
        self.probes += 1
        self.canary = wish


@dataclass
class FakeDns:
    """Serves what it is given, and gives it back as a reader would see it."""

    zones: list[Zone] = field(default_factory=list)
    refuses: str = ""
    spoils: bool = False

    async def serve(self, zone: Zone) -> None:
        if self.refuses:
            raise SinkError(self.refuses)
        self.zones.append(zone)

    async def read_back(self, url: str) -> SeenTree:
        texts: Mapping[str, str] = self.zones[-1].texts
        tree = SignedTree.parse(url, texts)
        complaints = ("AAAA: missing",) if self.spoils else ()
        return SeenTree(tree.seq, tree.tree.nodes, complaints)

    async def close(self) -> None:
        self.zones.clear()


class Stage:
    """One fleet with everything around it, and a clock that the test moves."""

    def __init__(self, folder: Path) -> None:
        self.time = 1_700_000_000.0
        self.store = FolderStore.open(folder, "test")
        self.world = FakeWorld(lambda: self.time)
        self.restart()

    def restart(
        self, *, grace_seconds: float = 0.0, dial_back: DialBack | None = None, served: int = 0
    ) -> None:
        """Begin anew as a second process would: the memory stays, the rest is forgotten.

        `served` is the number of the tree of which the first one said that every sink had it.
        """
        self.dns = FakeDns()
        sinks = [WholeZone("embedded", self.dns)]
        trees = TreeKeeper(self.store, sinks, lambda: self.time, served=served)
        self.reconciler = Reconciler(
            self.world,
            trees,
            self.store,
            lambda: self.time,
            grace_seconds=grace_seconds,
            dial_back=dial_back,
        )

    async def passes(self, fleet: StatusFleet, count: int = 1, **settings: Any) -> Report:
        for _ in range(count):
            report = await self.reconciler.reconcile(fleet, **settings)
        return report

    async def grown(self, fleet: StatusFleet) -> Report:
        """Have every member started and ready, and the tree published."""
        await self.passes(fleet)
        self.world.ready |= set(self.world.running)
        return await self.passes(fleet, 2)
