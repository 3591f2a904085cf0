"""The whole picture of a running fleet at one moment, and what changed from one to the next. Pure.

A picture holds what a program waits for; numbers that move all the time (peers, envelopes) are
shown beside it and never make a new picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from statusfleet.plan import CanaryVerdict
from statusfleet.reconcile.conditions import Finding, missing
from statusfleet.reconcile.fleet import Report
from statusfleet.worlds.canary import LegDetail
from statusfleet.worlds.processes.world import Detail

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MemberPart:
    """One member. `state` is a word: ready, starting, failed, leaving."""

    name: str
    role: str
    state: str
    ready: bool
    published: bool
    enode: str | None
    enr: str | None
    rpc: str | None
    metrics: str | None
    pid: int | None
    starts: int
    message: str


@dataclass(frozen=True, slots=True)
class TreePart:
    """The tree as it is served."""

    url: str
    seq: int
    records: int
    published: bool
    propagated: bool


@dataclass(frozen=True, slots=True)
class CanaryPart:
    """The canary's last verdict; before the first one nothing is passed."""

    passed: bool
    latency_ms: float | None
    failures: tuple[str, ...]
    legs: tuple[LegDetail, ...]
    finished_at: float | None


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that a summary tells."""

    fleet: str
    data: str
    members: tuple[MemberPart, ...] = ()
    tree: TreePart | None = None
    dns: str | None = None
    canary: CanaryPart | None = None
    conditions: tuple[Finding, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing is missing: ready, published, read back, and proven by the canary."""
        return bool(self.members) and not self.missing

    def to_json(self) -> JsonObject:
        """Return the fields of a summary."""
        return {
            "fleet": self.fleet,
            "data": self.data,
            "tree": asdict(self.tree) if self.tree else None,
            "dns": {"address": self.dns} if self.dns else None,
            "members": [asdict(member) for member in self.members],
            "canary": asdict(self.canary) if self.canary else None,
            "conditions": [
                {
                    "type": finding.type.value,
                    "status": finding.status,
                    "reason": finding.reason.value,
                    "message": finding.message,
                }
                for finding in self.conditions
            ],
            "missing": list(self.missing),
            "notes": list(self.notes),
        }


def draw(
    report: Report,
    details: Mapping[str, Detail],
    *,
    fleet: str,
    data: str,
    dns: tuple[str, int] | None,
    legs: tuple[LegDetail, ...],
    notes: tuple[str, ...],
) -> Picture:
    """Return the picture after a pass."""
    tree = report.tree
    return Picture(
        fleet=fleet,
        data=data,
        members=tuple(_members(report, details)),
        tree=TreePart(
            url=tree.url,
            seq=tree.seq,
            records=len(tree.listed),
            published=tree.published,
            propagated=bool(tree.propagated),
        )
        if tree is not None
        else None,
        dns=f"{dns[0]}:{dns[1]}" if dns is not None else None,
        canary=_canary(report.observation.canary, legs) if report.plan.canary_enabled else None,
        conditions=report.findings,
        missing=tuple(missing(report.findings)),
        notes=notes,
    )


def _members(report: Report, details: Mapping[str, Detail]) -> Iterator[MemberPart]:
    listed = report.tree.listed if report.tree is not None else frozenset()
    waiting = {waiting.id.name: waiting.message for waiting in report.plan.waiting}
    ids = {member.id.name: member.id for member in report.plan.members}
    ids |= {waiting.id.name: waiting.id for waiting in report.plan.waiting}
    ids |= {name: report.observation.members[name].id for name in report.leaving}
    for name, member in ids.items():
        observed = report.observation.members.get(name)
        planned, detail = report.plan.member(name), details.get(name)
        ready = observed is not None and observed.ready
        message = waiting.get(name) or (observed.message if observed is not None else "")
        running = detail is not None and detail.pid is not None
        if name in report.leaving:
            state = "leaving"
        elif ready:
            state = "ready"
        else:
            state = "failed" if message and not running else "starting"
        yield MemberPart(
            name=name,
            role=member.role,
            state=state,
            ready=ready,
            published=name in listed,
            enode=str(planned.enode) if planned and planned.enode else None,
            enr=str(planned.record) if planned and planned.record else None,
            rpc=detail.rpc if detail else None,
            metrics=detail.metrics if detail else None,
            pid=detail.pid if detail else None,
            starts=detail.starts if detail else 0,
            message=message,
        )


def _canary(verdict: CanaryVerdict | None, legs: tuple[LegDetail, ...]) -> CanaryPart:
    if verdict is None:
        return CanaryPart(False, None, (), (), None)
    return CanaryPart(
        verdict.passed, verdict.latency_ms, verdict.failures, legs, verdict.finished_at
    )


def events(before: Picture | None, after: Picture) -> Iterator[JsonObject]:
    """Yield one event for each thing that changed, the summary not included."""
    old = {member.name: member for member in before.members} if before else {}
    for member in after.members:
        if _visible(old.pop(member.name, None)) != _visible(member):
            yield {"event": "member", **asdict(member)}
    for gone in old.values():
        yield {"event": "member", **asdict(gone), "state": "stopped", "ready": False, "pid": None}
    old_tree = before.tree if before is not None else None
    if after.tree is not None and after.tree.seq and after.tree != old_tree:
        yield {"event": "tree", **asdict(after.tree), "dns": after.dns}
    if after.tree is None and old_tree is not None and old_tree.seq:
        gone_tree = {**asdict(old_tree), "records": 0, "published": False, "propagated": False}
        yield {"event": "tree", **gone_tree, "dns": None, "withdrawn": True}
    if after.canary is not None and after.canary.finished_at is not None:
        last = before.canary.finished_at if before and before.canary else None
        if last != after.canary.finished_at:
            yield {"event": "canary", **asdict(after.canary)}


def _visible(member: MemberPart | None) -> tuple[object, ...] | None:
    if member is None:
        return None
    return (member.state, member.pid, member.published, member.enr, member.message)


def sentence(event: JsonObject) -> str:
    """Say an event in one line for people."""
    match event["event"]:
        case "member":
            return _member_sentence(event)
        case "tree":
            if event.get("withdrawn"):
                return f"tree {event['url']} is withdrawn"
            state = "resolved" if event["propagated"] else "published"
            if not event["published"]:
                state = "not published yet"
            server = f" at {event['dns']}" if event["dns"] else ""
            number = f"seq {event['seq']}, {event['records']} records"
            return f"tree {event['url']} {number}: {state}{server}"
        case "canary":
            if event["passed"]:
                return f"canary passed: {event['latency_ms']:.0f} ms"
            return f"canary failed: {'; '.join(event['failures'])}"
        case _:
            place = f"{event['path']}: " if event.get("path") else ""
            return f"error: {place}{event['message']}"


def _member_sentence(event: JsonObject) -> str:
    parts = [f"{event['name']} is {event['state']}"]
    if event["pid"] is not None:
        parts.append(f"(pid {event['pid']})")
    if event["state"] == "ready":
        parts.append(event["enode"] or "")
    elif event["message"]:
        parts.append(f"- {event['message']}")
    return " ".join(part for part in parts if part)
