"""From what was seen to what is said about it: the conditions of a fleet. Pure.

The same for every world: a world that lacks something says so with `Reason.NOT_APPLICABLE` and the
status Unknown, so that nobody waits for it and nobody believes that it was checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from statusfleet.api.status import ConditionType, Truth
from statusfleet.plan import Observation, Plan
from statusfleet.plan.rollout import RolloutStep
from statusfleet.reconcile.reasons import Reason
from statusfleet.reconcile.showing import TreeState, words_of_missing
from statusfleet.reconcile.stalling import Stalled
from statusfleet.worlds.protocol import Vantage

MOST_NAMED: Final = 5
_UNSEEN: Final = "not looked at while the fleet is paused"
LOAD_BALANCER: Final = "LoadBalancer"
"""`ObservedMember.address_source` of a member behind a load balancer."""
_SHORT_CUT: Final = (
    "where others reach load balancers and the operator cannot, set the chart's "
    "operator.dialLoadBalancersFrom to MemberNode"
)


@dataclass(frozen=True, slots=True)
class Reach:
    """What came of dialing the members' addresses from `vantage`: problems by name, and whose turn
    is still to come. `elsewhere` are by name the members that are dialed from another place.
    """

    vantage: str
    problems: Mapping[str, str] = field(default_factory=dict)
    pending: tuple[str, ...] = ()
    elsewhere: Mapping[str, Vantage] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that conditions speak of; `reach` is None in a world that nobody can dial into.

    `leftovers` are sinks that the spec names no more and that still show the tree, by name, each
    with what keeps it there.
    """

    plan: Plan
    observation: Observation
    tree: TreeState | None
    leaving: frozenset[str] = frozenset()
    paused: bool = False
    invalid_edit: str = ""
    rollout: RolloutStep = field(default_factory=RolloutStep)
    stalled: Stalled = field(default_factory=Stalled)
    reach: Reach | None = None
    leftovers: Mapping[str, str] = field(default_factory=dict)

    def ready(self, name: str) -> bool:
        """Whether the member of that name is ready."""
        member = self.observation.members.get(name)
        return member is not None and member.ready

    @property
    def unready(self) -> dict[str, str]:
        """The wanted members that are not ready, each with what it lacks.

        An address is nothing that a member needs for its work.
        """
        result = {w.id.name: w.message for w in self.plan.waiting if w.lacks != "address"}
        for member in self.plan.members:
            if not self.ready(member.name):
                observed = self.observation.members.get(member.name)
                message = observed.message if observed is not None else ""
                result[member.name] = message or "is being started"
        return result

    @property
    def unpublished(self) -> tuple[str, ...]:
        """The wanted members that should be in the tree and are not."""
        if self.tree is None or self.plan.tree is None:
            return ()
        candidates = {name for name, _ in self.plan.tree.candidates}
        wanted = sorted(candidates | self.addressless.keys())
        return tuple(name for name in wanted if name not in self.tree.listed)

    @property
    def addressless(self) -> dict[str, str]:
        """The members without an address that could be published, each with the reason."""
        members = self.observation.members
        return {
            waiting.id.name: members[waiting.id.name].address_problem or waiting.message
            for waiting in self.plan.waiting
            if waiting.lacks == "address"
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition, without the times that the status adds."""

    type: ConditionType
    status: Truth
    reason: Reason
    message: str = ""

    @property
    def holds(self) -> bool:
        """Whether the condition is true."""
        return self.status == "True"


def conditions(situation: Situation) -> tuple[Finding, ...]:
    """Return every condition, in the order of `ConditionType`."""
    return (
        _ready(situation),
        _addresses(situation),
        _reachable(situation),
        _published(situation),
        _propagated(situation),
        _canary(situation),
        _progressing(situation),
        _update_pending(situation),
        _paused(situation),
    )


def _ready(situation: Situation) -> Finding:
    kind = ConditionType.READY
    # First what waits for a person, and may be why members are not ready.
    if situation.invalid_edit:
        return Finding(kind, "False", Reason.INVALID_EDIT, situation.invalid_edit)
    if situation.observation.problems:
        text = name_some(situation.observation.problems)
        return Finding(kind, "False", Reason.NOT_APPLIED, text)
    if situation.unready:
        text = name_some(situation.unready)
        return Finding(kind, "False", Reason.MEMBERS_NOT_READY, text)
    if text := words_of_missing(situation.tree or TreeState(), situation.unpublished, MOST_NAMED):
        return Finding(kind, "False", Reason.NOT_PUBLISHED, text)
    if situation.rollout.outdated:
        # All is well, and yet the spec is not carried out: whoever waits for that has to wait.
        return Finding(kind, "False", Reason.ROLLING_OUT, _rolling(situation.rollout))
    return Finding(kind, "True", Reason.ALL_READY)


def _addresses(situation: Situation) -> Finding:
    kind, waiting = ConditionType.ADDRESSES_READY, situation.addressless
    if waiting:
        return Finding(kind, "False", Reason.ADDRESS_MISSING, name_some(waiting))
    return Finding(kind, "True", Reason.ADDRESSES_KNOWN)


def _reachable(situation: Situation) -> Finding:
    kind, reach = ConditionType.REACHABLE, situation.reach
    if reach is None:
        text = "not dialed while the fleet is paused"
        if not situation.paused:
            text = "members listen on this machine's loopback, where nobody else can reach them"
        return Finding(kind, "Unknown", Reason.NOT_APPLICABLE, text)
    if reach.problems:
        return Finding(kind, "False", Reason.NOT_REACHED, _not_reached(situation, reach))
    dialed = [m for m in situation.plan.members if m.enode is not None and situation.ready(m.name)]
    if reach.pending or not dialed:
        text = f"not dialed yet: {', '.join(reach.pending[:MOST_NAMED])}"
        if not reach.pending:
            text = "no member is ready and has an address"
        return Finding(kind, "Unknown", Reason.NOT_DIALED_YET, text)
    return Finding(kind, "True", Reason.REACHED, _reached([m.name for m in dialed], reach))


def _not_reached(situation: Situation, reach: Reach) -> str:
    """Say who was not reached and from where, and what else may be tried."""
    found, members = reach.problems, situation.observation.members
    if found.keys() & reach.elsewhere.keys():
        places = {n: reach.elsewhere[n].name for n in found if n in reach.elsewhere}
        text = name_some(
            {n: f"dialed from {places.get(n, reach.vantage)}: {why}" for n, why in found.items()}
        )
    else:
        text = f"dialed from {reach.vantage}: {name_some(found)}"
    here = (members.get(name) for name in found if name not in reach.elsewhere)
    if any(member is not None and member.address_source == LOAD_BALANCER for member in here):
        text += f"; {_SHORT_CUT}"
    return text


def _reached(names: list[str], reach: Reach) -> str:
    """Say from where members were reached, and what that does not prove."""
    places = {name: reach.elsewhere[name] for name in names if name in reach.elsewhere}
    if not places:
        return f"dialed from {reach.vantage}"
    named = list(places.items())[:MOST_NAMED]
    parts = [f"{name} dialed from {place.name}" for name, place in named]
    if len(places) > MOST_NAMED:
        parts.append(f"and {len(places) - MOST_NAMED} more likewise")
    if len(places) < len(names):
        parts.append(f"all others from {reach.vantage}")
    caveats = dict.fromkeys(place.caveat for place in places.values() if place.caveat)
    return "; ".join([*parts, *caveats])


def _published(situation: Situation) -> Finding:
    kind, tree = ConditionType.TREE_PUBLISHED, situation.tree
    left = _left(situation)
    if tree is None:
        text = "the spec names no tree.domain" + (f"; {left}" if left else "")
        return Finding(kind, "Unknown", Reason.NOT_APPLICABLE, text)
    if tree.refused:
        return Finding(kind, "False", Reason.SIGNING_REFUSED, tree.problem)
    if tree.published:
        return Finding(
            kind, "True", Reason.PUBLISHED, "; ".join(filter(None, (left, tree.rivalry)))
        )
    if situation.paused:
        return Finding(kind, "Unknown", Reason.NOT_APPLICABLE, _UNSEEN)
    if tree.problem:
        if not any(sink.progress == "Failed" for sink in tree.sinks):
            return Finding(kind, "False", Reason.PUBLISHING, tree.problem)
        return Finding(kind, "False", Reason.SINK_FAILED, tree.problem)
    return Finding(kind, "False", Reason.WAITING_FOR_MEMBERS, "no member could be published yet")


def _left(situation: Situation) -> str:
    """Say where a tree is that should be there no more, and what to do; "" for nowhere."""
    if not situation.leftovers:
        return ""
    named = name_some({n: leftover_text(text) for n, text in situation.leftovers.items()})
    return f"still published where the spec does not name it any more: {named}"


def leftover_text(problem: str) -> str:
    """Say what keeps a tree at a sink that the spec names no more, with a remedy."""
    return (
        f"the tree cannot be taken back ({problem}); mend that, or set spec.deletion.tree to Keep "
        "to leave it there"
    )


def _propagated(situation: Situation) -> Finding:
    kind, tree = ConditionType.TREE_PROPAGATED, situation.tree
    if tree is None:
        return Finding(kind, "Unknown", Reason.NOT_APPLICABLE, "the spec names no tree.domain")
    if situation.paused:
        return Finding(kind, "Unknown", Reason.NOT_APPLICABLE, _UNSEEN)
    if tree.propagated:
        return Finding(kind, "True", Reason.RESOLVED)
    if tree.propagated is None or not tree.published:
        text = "the tree was not read back through DNS yet"
        return Finding(kind, "False", Reason.NOT_RESOLVED_YET, text)
    return Finding(kind, "False", Reason.WALK_FAILED, tree.problem)


def _canary(situation: Situation) -> Finding:
    kind, verdict = ConditionType.CANARY_PASSING, situation.observation.canary
    if not situation.plan.canary_enabled:
        return Finding(kind, "Unknown", Reason.DISABLED, "spec.canary.enabled is false")
    if verdict is None:
        return Finding(kind, "Unknown", Reason.NO_VERDICT_YET, "the canary has not finished a run")
    if verdict.passed:
        return Finding(kind, "True", Reason.PASSED)
    return Finding(kind, "False", Reason.FAILED, "; ".join(verdict.failures[:MOST_NAMED]))


def _progressing(situation: Situation) -> Finding:
    kind, step = ConditionType.PROGRESSING, situation.rollout
    broken = {n: text for n, text in (step.held or {}).items() if _is_broken(situation, n)}
    broken |= situation.stalled.renewed
    if broken:
        text = f"it goes on when this is mended, or with another change: {name_some(broken)}"
        return Finding(kind, "False", Reason.ROLLOUT_STOPPED, text)
    if step.outdated:
        return Finding(kind, "True", Reason.ROLLING_OUT, _rolling(step))
    if situation.leaving:
        text = f"waiting until readers have forgotten {', '.join(sorted(situation.leaving))}"
        return Finding(kind, "True", Reason.LEAVING, text)
    stalled = situation.stalled.others
    if starting := sorted(situation.unready.keys() - stalled.keys()):
        text = f"starting {', '.join(starting[:MOST_NAMED])}"
        return Finding(kind, "True", Reason.STARTING, text)
    if stalled:
        text = f"not getting any further: {name_some(stalled)}"
        return Finding(kind, "False", Reason.MEMBERS_NOT_READY, text)
    return Finding(kind, "False", Reason.STEADY)


def _is_broken(situation: Situation, name: str) -> bool:
    """Tell whether a member that a rollout waits for says that it cannot work, or cannot go on."""
    member = situation.observation.members.get(name)
    unapplied = name in situation.observation.unapplied
    return unapplied or (member is not None and bool(member.message))


def _rolling(step: RolloutStep) -> str:
    """Say what a rollout does, without anything that changes by the second."""
    left = [name for name in step.outdated if name not in step.restart]
    parts = [
        ("starting anew", step.restart),
        ("waiting for", tuple(step.held or ())),
        ("has to stay ready for a while first", step.soaking),
        ("to go", tuple(left)),
    ]
    said = [f"{what}: {', '.join(names[:MOST_NAMED])}" for what, names in parts if names]
    return "; ".join(said)


def _update_pending(situation: Situation) -> Finding:
    kind = ConditionType.UPDATE_PENDING
    shapes = {n for n, m in situation.observation.members.items() if m.update_pending}
    pending = sorted(shapes | {m.name for m in situation.plan.members if m.update_pending})
    if not pending:
        return Finding(kind, "False", Reason.UP_TO_DATE)
    text = (
        f"this operator would run {', '.join(pending[:MOST_NAMED])} otherwise than they were "
        "started; they go on as they are until their part of the spec changes or the fleet gets "
        "another value of the annotation statusfleet.io/restart"
    )
    return Finding(kind, "True", Reason.NEWER_OPERATOR, text)


def _paused(situation: Situation) -> Finding:
    kind = ConditionType.PAUSED
    if situation.paused:
        return Finding(
            kind, "True", Reason.PAUSED_BY_SPEC, "spec.paused is true: nothing is changed"
        )
    return Finding(kind, "False", Reason.ACTIVE)


def missing(findings: tuple[Finding, ...]) -> Iterator[str]:
    """Yield, in words, what keeps a fleet from being whole: ready, published, read back, proven."""
    needed = {
        ConditionType.READY: "not ready",
        ConditionType.TREE_PUBLISHED: "tree not published",
        ConditionType.TREE_PROPAGATED: "tree not resolved through DNS",
        ConditionType.CANARY_PASSING: "canary not passed",
    }
    for finding in findings:
        words = needed.get(finding.type)
        excused = finding.reason in (Reason.NOT_APPLICABLE, Reason.DISABLED)
        if words is None or finding.holds or excused:
            continue
        yield f"{words}: {finding.message}" if finding.message else words


def name_some(problems: Mapping[str, str]) -> str:
    """Join a sentence for each of the first few problems and say how many more there are."""
    named = [f"{name}: {problem}" for name, problem in list(problems.items())[:MOST_NAMED]]
    more = len(problems) - len(named)
    return "; ".join(named) + (f"; and {more} more" if more else "")
