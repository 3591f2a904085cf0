"""What the operator would do with a changed fleet: its own plan and rollout, made beforehand. Pure.

The plans of the fleet before and after are made from the same observation and held against each
other. Secret values and keys enter, and none is told.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from statusfleet.api.fleet import StatusFleet
from statusfleet.api.spec import Rollout
from statusfleet.api.status import ConditionType
from statusfleet.cli.effects import Difference, Effect, changed_settings
from statusfleet.cli.kubectl.observing import Scene, Secrets, observe
from statusfleet.plan import Member, MemberId, Observation, Plan, make_plan
from statusfleet.plan.rollout import rollout_step
from statusfleet.worlds.kubernetes.claim import drops_claim
from statusfleet.worlds.kubernetes.pin import Pin, choose_pin, role_of

OWN_IMAGE: Final = "the operator's own image"
"""What stands for the image that nobody but the operator knows."""
_FEWEST_SHORTENED: Final = 3
_RECORD: Final = "StatusFleet.Record"
_LONG_AFTER: Final = math.inf
"""A time at which every soaking is over."""


@dataclass(frozen=True, slots=True)
class Side:
    """A fleet before or after, and what would exist of it."""

    fleet: StatusFleet
    plan: Plan
    observation: Observation
    own_image: str

    def pin(self, member: MemberId) -> Pin:
        """Return what the member's pod is made from."""
        return choose_pin(self.fleet, member, "", self.own_image).pin


@dataclass(frozen=True, slots=True)
class Forecast:
    """What would happen, by member and last the tree; `notes` are what a user should know too."""

    differences: tuple[Difference, ...]
    waves: tuple[tuple[str, ...], ...] = ()
    """Who is started anew at the same time, one wave after the other."""
    notes: tuple[str, ...] = ()
    soak: str = ""


def forecast(
    before: StatusFleet | None, after: StatusFleet, scene: Scene, brought: Secrets
) -> Forecast:
    """Return what the operator would do with `after`.

    `brought` are the values of Secrets that come with it, where they are to be compared at all.
    """
    own = _own_image(before)
    new = _side(after, scene, {**scene.secrets, **brought}, own)
    if before is None:
        return Forecast(tuple(_first(new)), notes=tuple(_notes(after, new, scene)))
    old = _side(before, scene, scene.secrets, own)
    members = list(_members(old, new))
    names = {member.name for member in new.plan.members}
    outdated = [one.what for one in members if one.effect is Effect.RESTART and one.what in names]
    waves, held = _waves(after.spec.rollout, new, outdated)
    notes = [*_notes(after, new, scene), *held]
    return Forecast(
        (*members, *_canary(old, new), *_tree(old, new, _listed(scene))),
        waves,
        tuple(notes),
        str(after.spec.rollout.soak),
    )


def _own_image(before: StatusFleet | None) -> str:
    """Return what members run where the spec names nothing, as far as it can be known."""
    if before is None or before.status is None or not before.status.image:
        return OWN_IMAGE
    wish = before.spec.image
    return OWN_IMAGE if wish.repository or wish.tag or wish.digest else before.status.image


def _side(fleet: StatusFleet, scene: Scene, secrets: Secrets, own: str) -> Side:
    observation = observe(fleet, scene, secrets, own)
    return Side(fleet, make_plan(fleet, observation), observation, own)


def _first(new: Side) -> Iterator[Difference]:
    for member in new.plan.members:
        yield Difference(Effect.START, member.name, "the fleet is new")
    if new.plan.tree is not None:
        records = len(new.plan.members)
        text = f"a first tree, of {records} records when all are ready and have an address"
        yield Difference(Effect.PUBLISH, new.plan.tree.domain, text)


def _members(old: Side, new: Side) -> Iterator[Difference]:
    present = {member.name: member for member in old.plan.members}
    lacking = {waiting.id.name: waiting for waiting in old.plan.waiting}
    for member in new.plan.members:
        known = present.get(member.name)
        if known is not None:
            yield from _kept(old, new, known, member)
        elif member.name not in lacking:
            yield Difference(Effect.START, member.name, "it is new")
    wanted = new.observation.members
    for name, observed in old.observation.members.items():
        if name not in wanted:
            yield Difference(Effect.STOP, name, _farewell(old, new, observed.id))


def _kept(old: Side, new: Side, before: Member, after: Member) -> Iterator[Difference]:
    reasons = list(_new_pod(old, new, after.id))
    changed = changed_settings(before.whole_config, after.whole_config)
    if changed.effect is Effect.RESTART:
        reasons.append(changed.why)
    elif before.public_key != after.public_key:
        reasons.append("gets another key, and so another enode")
    if reasons:
        yield Difference(Effect.RESTART, after.name, "; ".join(reasons))
    elif live := tuple(path for path in changed.live if path != _RECORD):
        yield Difference(Effect.RELOAD, after.name, replace(changed, live=live).why)


def _new_pod(old: Side, new: Side, member: MemberId) -> Iterator[str]:
    """Say why a member's pod has to be made anew."""
    before, after = old.pin(member), new.pin(member)
    if before.image != after.image:
        yield f"runs {after.image}"
    if not set(after.restart) <= set(before.restart):
        yield "a restart is asked for"
    if _without_image(before) != _without_image(after):
        yield "its pod is made otherwise"
    same = before.program == after.program
    if same and before.said != after.said and _update_pending(old.fleet):
        yield "a newer operator would run it otherwise, and does so with this change"


def _without_image(pin: Pin) -> object:
    container = pin.shape["spec"]["containers"][0]
    return {**pin.shape, "spec": {**pin.shape["spec"], "containers": [{**container, "image": ""}]}}


def _update_pending(fleet: StatusFleet) -> bool:
    found = fleet.status.conditions if fleet.status is not None else ()
    return any(one.type == ConditionType.UPDATE_PENDING and one.status == "True" for one in found)


def _farewell(old: Side, new: Side, member: MemberId) -> str:
    tree = new.fleet.spec.tree
    how = f"leaves the tree, and stops {tree.ttl.root} later" if tree is not None else "stops"
    if role_of(old.fleet, member).storage is None:
        return f"{how}; its key stays"
    if drops_claim(new.fleet.spec.roles, member):
        return f"{how}; its key stays, its volume goes"
    return f"{how}; its key and its volume stay"


def _canary(old: Side, new: Side) -> Iterator[Difference]:
    if old.plan.canary_enabled != new.plan.canary_enabled:
        effect = Effect.START if new.plan.canary_enabled else Effect.STOP
        yield Difference(effect, "canary", "spec.canary.enabled says so")


def _waves(
    spec: Rollout, new: Side, outdated: Sequence[str]
) -> tuple[tuple[tuple[str, ...], ...], list[str]]:
    """Go through the rollout as if every member became ready; say whom it first waits for."""
    old_hash = dict.fromkeys(outdated, "before")
    members = {
        member.name: replace(
            new.observation.members[member.name],
            restart_hash=old_hash.get(member.name, member.restart_hash),
            ready_since=0.0,
        )
        for member in new.plan.members
        if new.observation.members[member.name].running
    }
    waves: list[tuple[str, ...]] = []
    held: dict[str, str] = {}
    while True:
        seen = Observation(members=members)
        step = rollout_step(spec, new.plan, seen, _LONG_AFTER)
        if not step.outdated:
            break
        waiting = () if step.restart else tuple(step.held or ())
        held |= {name: (step.held or {})[name] for name in waiting}
        if step.restart:
            waves.append(step.restart)
        hashes = {member.name: member.restart_hash for member in new.plan.members}
        members |= {
            name: replace(members[name], restart_hash=hashes[name], ready=True)
            for name in (*step.restart, *waiting)
        }
    notes = [f"the rollout first waits for {name}: {why}" for name, why in held.items()]
    return tuple(waves), notes


def _listed(scene: Scene) -> frozenset[str]:
    """Return the members whose records are in the tree."""
    publication = scene.state.tree.publication
    if publication is None:
        return frozenset()
    nodes = {record.node_id for record in publication.tree.tree.nodes}
    records = ((name, scene.state.record(name)) for name in scene.state.records)
    return frozenset(
        name for name, record in records if record is not None and record.node_id in nodes
    )


def _tree(old: Side, new: Side, listed: frozenset[str]) -> Iterator[Difference]:
    before, after = old.plan.tree, new.plan.tree
    if after is None:
        if before is not None:
            yield Difference(Effect.PUBLISH, before.domain, _withdrawn(new.fleet, before.sinks))
        return
    if before is None or before.domain != after.domain:
        yield Difference(
            Effect.PUBLISH, after.domain, "a first tree, of every member that is ready"
        )
        return
    changes = list(_tree_changes(old, new, listed))
    if before.links != after.links:
        changes.append("changes the links")
    if before.sinks != after.sinks:
        changes.append(f"goes to {', '.join(after.sinks) or 'no sink'}")
    aside = replace(before, candidates=(), links=(), sinks=())
    if aside != replace(after, candidates=(), links=(), sinks=()):
        changes.append("changes its times or its zone")
    if changes:
        yield Difference(Effect.PUBLISH, after.domain, "; ".join(changes))


def _withdrawn(fleet: StatusFleet, sinks: Iterable[str]) -> str:
    """Say what becomes of a tree that a spec names no more."""
    left = [name for name in sinks if name != "embedded"]
    if fleet.spec.deletion.tree == "Keep" and left:
        return f"is kept up no more, and stays as it is at {', '.join(left)}"
    return "is withdrawn"


def _tree_changes(old: Side, new: Side, listed: frozenset[str]) -> Iterator[str]:
    """Say whose records come, go, or are signed anew."""
    before = {member.name: member for member in old.plan.members}
    after = {member.name: member for member in new.plan.members}
    wanted = new.observation.members
    if come := [name for name in after if name not in before]:
        yield f"adds {_some(come)} once ready"
    if gone := sorted(name for name in listed if name not in wanted):
        yield f"removes {_some(gone)}"
    kept = [(before[name], after[name]) for name in after if name in before]
    if moved := [b.name for b, a in kept if b.enode != a.enode and a.enode is not None]:
        yield f"renews {_some(moved)}"
    if lost := [b.name for b, a in kept if b.enode is not None and a.enode is None]:
        yield f"waits for another address of {_some(lost)}"


def _some(names: Sequence[str], most: int = 6) -> str:
    short = ranges(names)
    rest = ", …" if len(short) > most else ""
    return f"{', '.join(short[:most])}{rest}"


def _notes(after: StatusFleet, new: Side, scene: Scene) -> Iterator[str]:
    if after.spec.paused:
        yield "the fleet is paused: nothing of this happens before it goes on"
    for waiting in new.plan.waiting:
        if waiting.lacks == "secret":
            yield f"{waiting.id.name} would be left as it is: {waiting.message}"
    yield from scene.notes


def ranges(names: Iterable[str]) -> list[str]:
    """Return names in short: members of one role that follow each other as relayer-0 to 7."""
    found: list[list[str]] = []
    for name in names:
        role, _, ordinal = name.rpartition("-")
        if found and ordinal.isdecimal() and found[-1][-1] == f"{role}-{int(ordinal) - 1}":
            found[-1].append(name)
        else:
            found.append([name])
    short = []
    for run in found:
        last = run[-1].rpartition("-")[2]
        short += [f"{run[0]} to {last}"] if len(run) >= _FEWEST_SHORTENED else run
    return short


def by_reason(
    differences: Sequence[Difference],
) -> Iterator[tuple[Effect, tuple[str, ...], str]]:
    """Yield differences with equal reasons as one, in the order of the first of each."""
    groups: dict[tuple[Effect, str], list[str]] = {}
    for one in differences:
        groups.setdefault((one.effect, one.why), []).append(one.what)
    for (effect, why), names in groups.items():
        yield effect, tuple(names), why
