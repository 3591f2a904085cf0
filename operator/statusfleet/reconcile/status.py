"""From a report to the `status` that people read: `fleet_status`. Pure.

Nothing in it moves while nothing happens: a condition keeps its time until its status changes, and
whoever compares two of these finds them equal until there is something to write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, get_args

from statusfleet.api.fleet import StatusFleet
from statusfleet.api.roles import RoleName
from statusfleet.api.status import (
    MAX_MEMBERS,
    MAX_SINKS,
    Condition,
    ConditionType,
    FleetStatus,
    MemberStatus,
    Phase,
    RolesStatus,
    RoleStatus,
    SinkStatus,
    TreeStatus,
)
from statusfleet.kube.names import FLEET_LABEL, ROLE_LABEL
from statusfleet.plan import MemberId, Observation, ObservedMember, Plan, desired_members
from statusfleet.reconcile.conditions import Finding, leftover_text
from statusfleet.reconcile.fleet import Report
from statusfleet.reconcile.reasons import Reason
from statusfleet.reconcile.showing import SinkState, TreeState

_LONGEST_TEXT: Final = 2048
_LONGEST_NAME: Final = 320
Status = dict[str, Any]
"""A status as JSON, as it stands in the object."""


def fleet_status(
    fleet: StatusFleet, report: Report, before: Mapping[str, Any], now: float
) -> Status:
    """Return the status after a pass; `before` is the one that stands in the object."""
    counts = _roles(fleet, report)
    status = FleetStatus(
        observed_generation=fleet.metadata.generation,
        phase=_phase(fleet, report, before),
        conditions=_conditions(report.findings, fleet.metadata.generation, before, now),
        ready=_ratio(counts),
        selector=f"{FLEET_LABEL}={fleet.name},{ROLE_LABEL}=relayer",
        roles=RolesStatus(**dict(counts)),
        members=tuple(_members(fleet, report)),
        tree=_tree(report.tree, report.leftovers, before, now),
        image=_cut(_image(report.observation), _LONGEST_TEXT),
    )
    return _dump(status)


def troubled_status(
    findings: Iterable[Finding],
    generation: int,
    before: Mapping[str, Any],
    now: float,
    *,
    phase: Phase | None = None,
) -> Status:
    """Return `before` with these findings in it, where no pass could be made.

    Where they do not speak of Ready, what `before` says of it is true of an earlier spec alone: so
    the status stays that of the earlier one, or whoever waits for this one would take it for done.
    """
    known = {condition.type: condition for condition in _known(before)}
    fresh = _conditions(tuple(findings), generation, before, now)
    known.update((condition.type, condition) for condition in fresh)
    order = [str(kind) for kind in ConditionType]
    sorted_ = sorted(
        (known[kind] for kind in known if kind in order), key=lambda one: order.index(one.type)
    )
    conditions = [one.model_dump(mode="json", by_alias=True) for one in sorted_]
    judged = any(one.type == ConditionType.READY for one in fresh)
    observed = generation if judged else before.get("observedGeneration") or 0
    result = {**before, "observedGeneration": observed, "conditions": conditions}
    return {**result, "phase": phase} if phase is not None else result


def going_status(
    message: str,
    generation: int,
    before: Mapping[str, Any],
    now: float,
    *,
    unpublished: bool = False,
    sinks: Sequence[SinkState] = (),
) -> Status:
    """Return the status of a fleet that was deleted; `message` says what its end waits for.

    `unpublished` says whether its tree is shown nowhere any more; `sinks`, where that is tried, how
    far each is.
    """
    findings = [Finding(ConditionType.READY, "False", Reason.DELETING, "the fleet was deleted")]
    if unpublished:
        text = "the tree was taken back from every sink"
        kinds = (ConditionType.TREE_PUBLISHED, ConditionType.TREE_PROPAGATED)
        findings += [Finding(kind, "False", Reason.DELETING, text) for kind in kinds]
        before = _unlisted(before)
    elif sinks and before.get("tree"):
        rows = [row.model_dump(mode="json", exclude_none=True) for row in _sinks(sinks)]
        before = {**before, "tree": {**before["tree"], "sinks": rows}}
    findings.append(Finding(ConditionType.PROGRESSING, "True", Reason.DELETING, message))
    return troubled_status(findings, generation, before, now, phase="Deleting")


def _unlisted(before: Mapping[str, Any]) -> Status:
    """Return a status in whose tree nobody is any more, as no sink shows it."""
    result = dict(before)
    if members := before.get("members"):
        result["members"] = [{**row, "published": False} for row in members]
    if counts := before.get("roles"):
        result["roles"] = {role: {**count, "published": 0} for role, count in counts.items()}
    if tree := before.get("tree"):
        names = [sink["name"] for sink in tree.get("sinks") or ()]
        sinks = [{"name": name, "state": "Pending", "seq": 0} for name in names]
        still = {k: v for k, v in tree.items() if k not in ("publishedAt", "propagatedAt")}
        result["tree"] = {**still, "records": 0, "sinks": sinks}
    return result


def _conditions(
    findings: Iterable[Finding], generation: int, before: Mapping[str, Any], now: float
) -> tuple[Condition, ...]:
    known = {condition.type: condition for condition in _known(before)}
    result = []
    for finding in findings:
        old = known.get(finding.type)
        same = old is not None and old.status == finding.status
        result.append(
            Condition(
                type=str(finding.type),
                status=finding.status,
                reason=str(finding.reason),
                message=_cut(finding.message, _LONGEST_TEXT) or "",
                observed_generation=generation,
                last_transition_time=old.last_transition_time if same and old else moment(now),
            )
        )
    return tuple(result)


def _known(before: Mapping[str, Any]) -> list[Condition]:
    """Read the conditions that stand in the object; what is none of ours is left out."""
    found = []
    for value in before.get("conditions") or ():
        try:
            found.append(Condition.model_validate(value))
        except ValueError:
            continue
    return found


def _phase(fleet: StatusFleet, report: Report, before: Mapping[str, Any]) -> Phase:
    if fleet.spec.paused:
        return "Paused"
    truths = {finding.type: finding for finding in report.findings}
    if truths[ConditionType.READY].holds:
        return "Ready"
    progressing = truths[ConditionType.PROGRESSING]
    if progressing.reason in (Reason.ROLLING_OUT, Reason.LEAVING):
        return "Progressing"
    if before.get("phase") in ("Ready", "Degraded") or not progressing.holds:
        return "Degraded"
    return "Progressing" if any(m.ready for m in report.observation.members.values()) else "Pending"


def _roles(fleet: StatusFleet, report: Report) -> list[tuple[RoleName, RoleStatus]]:
    wanted = desired_members(fleet.spec)
    listed = report.tree.listed if report.tree is not None else frozenset[str]()
    result: list[tuple[RoleName, RoleStatus]] = []
    for role in get_args(RoleName):
        of_role = [member.name for member in wanted if member.role == role]
        if any(present.role == role for present in fleet.spec.roles.present()):
            ready = sum(_is_ready(report.observation, name) for name in of_role)
            published = sum(name in listed for name in of_role)
            result.append(
                (role, RoleStatus(desired=len(of_role), ready=ready, published=published))
            )
    return result


def _is_ready(observation: Observation, name: str) -> bool:
    member = observation.members.get(name)
    return member is not None and member.ready


def _ratio(counts: Iterable[tuple[RoleName, RoleStatus]]) -> str:
    numbers = [count for _, count in counts]
    ready, desired = sum(c.ready for c in numbers), sum(c.desired for c in numbers)
    return f"{ready}/{desired}"


def _members(fleet: StatusFleet, report: Report) -> Iterable[MemberStatus]:
    waiting = {w.id.name: w.message for w in report.plan.waiting if w.lacks != "address"}
    for member in desired_members(fleet.spec)[:MAX_MEMBERS]:
        observed = report.observation.members.get(member.name, ObservedMember(member))
        message = waiting.get(member.name) or observed.message or observed.address_problem
        yield _member(member, observed, report.plan, report.tree, message)


def _member(
    member: MemberId,
    observed: ObservedMember,
    plan: Plan,
    tree: TreeState | None,
    message: str,
) -> MemberStatus:
    planned = plan.member(member.name)
    record = planned.record if planned is not None else observed.record
    return MemberStatus(
        name=member.name,
        role=member.role,
        ready=observed.ready,
        enode=str(planned.enode) if planned is not None and planned.enode is not None else None,
        enr=str(record) if record is not None else None,
        seq=record.seq if record is not None else 0,
        address=str(observed.advertised) if observed.advertised is not None else None,
        address_source=observed.address_source or None,
        published=tree is not None and member.name in tree.listed,
        version=_cut(observed.version, _LONGEST_NAME),
        message=_cut(message, _LONGEST_TEXT),
    )


def _tree(
    state: TreeState | None, leftovers: Mapping[str, str], before: Mapping[str, Any], now: float
) -> TreeStatus | None:
    if state is None or not state.url:
        return None
    old = before.get("tree") or {}
    same = old.get("seq") == state.seq and old.get("url") == state.url
    published = (old.get("publishedAt") if same else None) or moment(now)
    propagated = old.get("propagatedAt") if same else None
    return TreeStatus(
        url=state.url,
        seq=state.seq,
        records=state.records,
        published_at=published if state.published else (old.get("publishedAt") if same else None),
        propagated_at=propagated or (moment(now) if state.propagated else None),
        sinks=_sinks((*state.sinks, *_leftovers(leftovers))),
    )


def _sinks(states: Sequence[SinkState]) -> tuple[SinkStatus, ...]:
    return tuple(
        SinkStatus(
            name=sink.name,
            state=sink.progress,
            seq=sink.seq,
            message=_cut(sink.problem, _LONGEST_TEXT),
        )
        for sink in states[:MAX_SINKS]
    )


def _leftovers(found: Mapping[str, str]) -> Iterable[SinkState]:
    """Return the rows of sinks that the spec names no more."""
    return (SinkState(name, "Failed", 0, leftover_text(text)) for name, text in found.items())


def _image(observation: Observation) -> str:
    """The image that members are to run; where they differ, the one of the first."""
    seats = (member.seat for member in observation.members.values() if member.seat is not None)
    return next((seat.program.partition(" ")[0] for seat in seats), "")


def _cut(text: str, longest: int) -> str | None:
    """Return a text that fits its field, None where there is nothing to say."""
    if not text:
        return None
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _dump(status: FleetStatus) -> Status:
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def moment(now: float) -> str:
    """Write a time (unix seconds) as Kubernetes does."""
    return datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
