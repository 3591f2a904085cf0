"""One pass over one fleet: observe, plan, apply, publish, prune, probe, report.

Level-triggered: a pass looks at everything and depends on no event; any of them may be lost,
repeated or late, and a pass that is cut off anywhere is made good by the next. What is kept between
passes is only what no observation can tell: whether the fleet has settled, and, in its memory, what
is under way (who is on the way out, whom a rollout has started anew).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from statusfleet.api.fleet import StatusFleet
from statusfleet.plan import Member, Observation, ObservedMember, Plan, make_plan
from statusfleet.plan.rollout import RolloutStep, rollout_step
from statusfleet.publishers.sink import Sink
from statusfleet.reconcile.conditions import Finding, Reach, Situation, conditions
from statusfleet.reconcile.departures import Departures
from statusfleet.reconcile.probing import canary_wish, may_start
from statusfleet.reconcile.publishing import TreeKeeper, listed
from statusfleet.reconcile.reachable import DialBack
from statusfleet.reconcile.settling import Settling
from statusfleet.reconcile.showing import TreeState
from statusfleet.reconcile.stalling import Stalling
from statusfleet.reconcile.targets import have_dialed
from statusfleet.store import Store, StoreError, Underway
from statusfleet.tree.membership import Candidate, Membership, choose_members
from statusfleet.worlds.protocol import World
from statusnode.crypto.keys import KeyFormatError, PrivateKey
from statusnode.records.enr import Record

_MANY: Final = 64
"""Members; a plan of so many takes about ten milliseconds."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a pass saw and did. `next_look` is when the next one is due at the latest, if at all.

    `leaving` says by name when a dropped member may stop; times are unix seconds. `leftovers` are
    the sinks that should show the tree no more and do, by name, each with the reason; `left` those
    where it was left for ever now, as the spec says.
    """

    plan: Plan
    observation: Observation
    tree: TreeState | None
    findings: tuple[Finding, ...]
    leaving: Mapping[str, float | None] = field(default_factory=dict)
    next_look: float | None = None
    restarted: tuple[str, ...] = ()
    leftovers: Mapping[str, str] = field(default_factory=dict)
    left: frozenset[str] = frozenset()


class Restarter(Protocol):
    """A world in which members are started anew only when told."""

    async def restart(self, names: Iterable[str]) -> tuple[str, ...]:
        """Start these members anew, from what was applied last; return whom this call told so."""
        ...


class TreeKeyError(Exception):
    """The key that should sign the tree is not there, or is none."""


class Reconciler:
    """Brings one fleet to what its spec says, a pass at a time."""

    def __init__(
        self,
        world: World,
        trees: TreeKeeper,
        store: Store,
        now: Callable[[], float],
        *,
        grace_seconds: float,
        sinks: Callable[[StatusFleet, Observation], Iterable[Sink]] | None = None,
        restarter: Restarter | None = None,
        dial_back: DialBack | None = None,
    ) -> None:
        """Take the seams, and how long an unready member stays in the tree.

        With `sinks`, the tree goes where these say at each pass. With `restarter`, changes go
        through the fleet as `spec.rollout` says. With `dial_back`, a record is published only after
        its address was reached.
        """
        self._world = world
        self._trees = trees
        self._store = store
        self._now = now
        self._grace_seconds = grace_seconds
        self._sinks = sinks
        self._restarter = restarter
        self._dial_back = dial_back
        self._unproved: dict[str, float] = {}  # since when an address waits for its proof
        self._departures = Departures()
        self._settling = Settling()
        self._stalling = Stalling()
        self._underway: Underway | None = None  # our part of it, as the memory has it
        self._records: dict[str, Record | None] = {}
        self._probing = False

    async def reconcile(self, fleet: StatusFleet, invalid_edit: str = "") -> Report:
        """Make one pass; `invalid_edit` says what is wrong with a newer spec that is not used.

        Raises:
            StoreError: the fleet's memory cannot be read or written.
            WorldError: the world cannot give members what they need.
        """
        observation = await self._world.observe(fleet)
        plan = await _planned(fleet, observation)
        self._records.update(_known_records(plan, observation))
        await self._trees.recall()
        await self._take_up()
        seen = Situation(plan, observation, None, invalid_edit=invalid_edit)
        if fleet.spec.paused:
            if self._dial_back is not None:
                self._dial_back.rest()
            return self._report(replace(seen, tree=self._seen_tree(), paused=True))
        await self._world.apply(plan)
        observation = replace(observation, unapplied=self._world.unapplied)
        rollout, restarted = await self._roll_out(fleet, plan, observation)
        if self._dial_back is not None:
            have_dialed(self._dial_back, plan, observation)
        tree, times, left = await self._publish(fleet, plan, observation)
        leaving = await self._prune(plan)
        stalled = self._stalling.update(plan, observation, self._now())
        await self._keep_underway()
        await self._probe(fleet, plan, observation, rollout)
        # Else what this pass could not bring about would be told by the next one, minutes later.
        observation = replace(observation, problems=self._world.problems)
        seen = replace(
            seen,
            observation=observation,
            tree=tree,
            leaving=frozenset(leaving),
            rollout=rollout,
            stalled=stalled,
            reach=self._reach(),
            leftovers=self._trees.leftovers,
        )
        times = (*times, *leaving.values(), rollout.next_look, stalled.next_look)
        return replace(self._report(seen, times, leaving, restarted), left=left)

    def _report(
        self,
        situation: Situation,
        times: tuple[float | None, ...] = (),
        leaving: Mapping[str, float | None] | None = None,
        restarted: tuple[str, ...] = (),
    ) -> Report:
        return Report(
            plan=situation.plan,
            observation=situation.observation,
            tree=situation.tree,
            findings=conditions(situation),
            leaving=leaving or {},
            next_look=min((time for time in times if time is not None), default=None),
            restarted=restarted,
            leftovers=situation.leftovers,
        )

    async def _take_up(self) -> None:
        """Go on with what was under way when this process began."""
        if self._underway is None:
            found = (await self._store.read()).underway
            self._underway = replace(found, root_ttl=Underway().root_ttl)
            self._departures = Departures(found.leaving)
            self._stalling = Stalling(found.renewed)

    async def _keep_underway(self) -> None:
        """Have the memory hold what is under way."""
        underway = Underway(self._departures.leaving, self._stalling.renewed)
        if underway != self._underway:
            state = await self._store.read()
            told = replace(underway, root_ttl=state.underway.root_ttl)
            await self._store.write(replace(state, underway=told))
            self._underway = underway

    async def _roll_out(
        self, fleet: StatusFleet, plan: Plan, observation: Observation
    ) -> tuple[RolloutStep, tuple[str, ...]]:
        """Start anew whose turn it is; return the step, and whom this pass told so."""
        if self._restarter is None:
            return RolloutStep(), ()
        step = rollout_step(fleet.spec.rollout, plan, observation, self._now())
        if not step.restart:
            return step, ()
        self._stalling.renew(step.restart)
        await self._keep_underway()
        return step, await self._restarter.restart(step.restart)

    def _unreachable(self) -> frozenset[str]:
        return self._dial_back.unreachable() if self._dial_back is not None else frozenset()

    def _reach(self) -> Reach | None:
        if self._dial_back is None:
            return None
        found = self._dial_back
        return Reach(found.here.name, found.problems(), found.pending(), found.elsewhere())

    async def _publish(
        self, fleet: StatusFleet, plan: Plan, observation: Observation
    ) -> tuple[TreeState | None, tuple[float | None, ...], frozenset[str]]:
        """Publish where the spec says, then withdraw from where it says so no more.

        Return the tree's state, when to look again, and where the tree was left for ever.
        """
        if self._sinks is not None:
            specs = fleet.spec.tree.publish if fleet.spec.tree is not None else ()
            for dropped in await self._trees.use(self._sinks(fleet, observation), specs):
                await dropped.close()
        state, times = await self._show(fleet, plan, observation)
        taken, left = await self._trees.let_go(keep=fleet.spec.deletion.tree == "Keep")
        if taken or left:  # what waited for it goes on; what was hit by it is mended
            state, times = await self._show(fleet, plan, observation)
        return state, (*times, self._trees.let_go_at), left

    async def _show(
        self, fleet: StatusFleet, plan: Plan, observation: Observation
    ) -> tuple[TreeState | None, tuple[float | None, ...]]:
        """Publish what belongs into the tree; return its state and when to look again."""
        if plan.tree is None:
            return None, ()
        try:
            key = await self._tree_key(fleet, observation)
        except (TreeKeyError, StoreError) as error:
            return TreeState(problem=str(error), refused=True), ()
        proving = self._dial_back is not None and bool(self._dial_back.pending())
        held_until = self._settling.deadline(plan, observation, self._now(), proving=proving)
        membership = self._choose(plan, observation)
        records = membership.records if held_until is None else None
        state = await self._trees.publish(plan.tree, records, key)
        expiry = self._trees.next_expiry
        retry = self._trees.retry_at
        state = self._with_listed(state, plan)
        return state, (held_until, membership.next_change, expiry, retry)

    def _choose(self, plan: Plan, observation: Observation) -> Membership:
        now = self._now()
        published = listed(self._trees.published, self._records)
        candidates = []
        for member in plan.members:
            observed = observation.members[member.name]
            shown = published.get(member.name)
            unready = self._unready_since(member, observed, shown, now)
            candidates.append(Candidate(member.name, member.record, shown, unready))
        for name, observed in _unplanned(plan, observation).items():
            # What it lacks keeps it from being changed, not from its work.
            unready = None if observed.ready else observed.unready_since or now
            shown = published.get(name)
            candidates.append(Candidate(name, shown, shown, unready))
        return choose_members(candidates, now=now, grace_seconds=self._grace_seconds)

    def _unready_since(
        self, member: Member, observed: ObservedMember, shown: Record | None, now: float
    ) -> float | None:
        """Return since when a member cannot be sent to anybody, None where it can.

        `shown` is its record in the tree: that address was proved once, maybe by another process.
        """
        if not observed.ready:
            return observed.unready_since if observed.unready_since is not None else now
        found, enode = self._dial_back, member.enode
        proved = found is None or enode is None or found.proved(member.name, enode)
        if proved or (shown is not None and shown.enode() == enode):
            self._unproved.pop(member.name, None)
            return None
        return self._unproved.setdefault(member.name, now)

    def _seen_tree(self) -> TreeState | None:
        """What is known of the tree without touching it, also where another process published."""
        known = self._trees.serving or self._trees.published
        if known is None:
            return None
        return TreeState(
            url=known.tree.url,
            seq=known.tree.seq,
            signed=frozenset(listed(known, self._records)),
            listed=frozenset(listed(known, self._records)),
            published=self._trees.serving is not None,
            sinks=self._trees.states,
        )

    def _with_listed(self, state: TreeState, plan: Plan) -> TreeState:
        shown = listed(self._trees.serving, self._records)
        older = {m.name for m in plan.members if _is_older(shown.get(m.name), m.record)}
        signed = frozenset(listed(self._trees.published, self._records))
        return replace(state, signed=signed, listed=frozenset(shown), superseded=frozenset(older))

    @property
    def _listed(self) -> frozenset[str]:
        """The members, dropped ones too, whose records a reader finds now."""
        return frozenset(listed(self._trees.serving, self._records))

    async def _prune(self, plan: Plan) -> dict[str, float | None]:
        """Stop the dropped members whose time has come; return the others with their time."""
        now = self._now()
        shown = self._listed if plan.tree is not None else frozenset[str]()
        if plan.tree is not None and self._trees.behind:
            # Nobody can tell whom a tree that is not ours or cannot be looked at leads to.
            shown |= frozenset(plan.removed)
        kept = 0.0
        if plan.tree is not None:
            kept = self._trees.kept_seconds(plan.tree.root_ttl_seconds, now=now)
        leaving = self._departures.update(plan.removed, shown, now=now, root_ttl_seconds=kept)
        due = tuple(name for name, when in leaving.items() if when is not None and when <= now)
        if due:
            await self._world.prune(replace(plan, removed=due))
            for name in due:
                self._records.pop(name, None)
        return {name: when for name, when in leaving.items() if name not in due}

    async def _probe(
        self, fleet: StatusFleet, plan: Plan, observation: Observation, rollout: RolloutStep
    ) -> None:
        if not plan.canary_enabled:
            self._probing = False
            await self._world.probe(None)
            return
        wish = canary_wish(fleet, plan, observation)
        self._probing = self._probing or (
            wish is not None and may_start(plan, observation, self._listed | self._unreachable())
        )
        if self._probing and wish is not None:
            # The last to be started anew: it tells what a change has done to the members.
            through = not rollout.outdated and not self._stalling.renewed
            await self._world.probe(replace(wish, renew=through))

    async def _tree_key(self, fleet: StatusFleet, observation: Observation) -> PrivateKey:
        """Return the key that signs the tree: the manifest's, or one that was made once.

        Raises:
            TreeKeyError: the Secret that should hold it does not.
            StoreError: it cannot be read or written.
        """
        source = fleet.spec.tree.signing_key if fleet.spec.tree is not None else None
        if source is None:
            return await self._store.ensure_tree_key()
        name, key = source.secret_key_ref.name, source.secret_key_ref.key
        value = observation.secrets.get((name, key))
        if value is None:
            raise TreeKeyError(
                f"the tree's signing key should be key {key} of Secret {name}, which is not there"
            )
        try:
            return PrivateKey.from_hex(value.get_secret_value())
        except KeyFormatError as error:
            raise TreeKeyError(f"key {key} of Secret {name} cannot sign a tree: {error}") from None


async def _planned(fleet: StatusFleet, observation: Observation) -> Plan:
    """Make the plan; of many members that takes so long that it holds up everybody else."""
    if len(observation.members) < _MANY:
        return make_plan(fleet, observation)
    return await asyncio.to_thread(make_plan, fleet, observation)


def _unplanned(plan: Plan, observation: Observation) -> dict[str, ObservedMember]:
    """Return the wanted members that cannot be planned: they lack a key, a seat or a secret."""
    names = [waiting.id.name for waiting in plan.waiting if waiting.lacks != "address"]
    return {name: observation.members[name] for name in names if name in observation.members}


def _is_older(shown: Record | None, record: Record | None) -> bool:
    return shown is not None and record is not None and shown.seq < record.seq


def _known_records(plan: Plan, observation: Observation) -> dict[str, Record | None]:
    """Return the newest record of every wanted member by name."""
    records = {name: seen.record for name, seen in _unplanned(plan, observation).items()}
    return records | {member.name: member.record for member in plan.members}
