"""One canary beside the fleet's own: its objects, its task, and what it found. Pure.

It runs the canary's own program in the canary's own pod, as a Job, which the cluster takes away by
itself if nobody else does. It has a key of its own, made for it alone, so members meet it as any
stranger: two canaries with one key would push each other out, and one that members know would not
see that they are full.
"""

from __future__ import annotations

import base64
import json
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import SecretStr

from statusfleet.api.fleet import StatusFleet
from statusfleet.api.roles import Mailserver, NodeRoleSpec
from statusfleet.cli.kubectl.cluster import CommandError
from statusfleet.cli.kubectl.columns import columns
from statusfleet.cli.kubectl.directory import Node
from statusfleet.kube.kinds import JOB, SECRET, JsonDict
from statusfleet.kube.names import fleet_labels
from statusfleet.worlds.canary import LegDetail
from statusfleet.worlds.kubernetes.deployment import canary_pod
from statusfleet.worlds.kubernetes.names import Owner
from statusfleet.worlds.kubernetes.secret import CANARY_KEY
from statusfleet.worlds.protocol import CanaryWish
from statusnode.records.enode import Enode

PART: Final = "canary-run"
"""What the objects are of; not `canary`, whose pod the operator listens to."""
JOB_NAME: Final = "batch.kubernetes.io/job-name"
"""Label of a Job's pods, set by Kubernetes."""
MOST_RUNS: Final = 20
_GAP_SECONDS: Final = 0.5
"""More than one run's connecting is likely to be quicker than another's."""
_KEEP_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Step:
    """All passes of one part through one member: the slowest, and the first failure."""

    leg: str
    member: str
    slowest_ms: float | None
    error: str


def wish_of(fleet: StatusFleet, nodes: Iterable[Node], password: SecretStr) -> CanaryWish:
    """Return the canary's task: every member that is ready, as for the fleet's own canary.

    Raises:
        CommandError: no member could carry a message.
    """
    ready = [node for node in nodes if node.ready is not False and node.enode]
    relayers, mailservers = _targets(ready, "relayer"), _targets(ready, "mailserver")
    if not relayers and not mailservers:
        raise CommandError(
            f"{fleet.name} has no member that could carry a message: none is ready and has an "
            f"address; see kubectl statusfleet status {fleet.name}"
        )
    return CanaryWish(
        relayers=relayers,
        mailservers=mailservers,
        interval_seconds=_GAP_SECONDS + _rate_limit(fleet),
        timeout_seconds=fleet.spec.canary.timeout.seconds,
        min_pow=max((_min_pow(role) for role in fleet.spec.roles.present()), default=0.0),
        mail_password=password,
    )


def runs_of(wish: CanaryWish) -> int:
    """Return how many runs go through every relayer, as many as a user would wait for."""
    return min(MOST_RUNS, max(1, len(wish.relayers or wish.mailservers)))


def left_out(nodes: Iterable[Node]) -> list[str]:
    """Return the members that no run goes through, since they are not ready."""
    return [
        node.name
        for node in nodes
        if node.role in ("relayer", "mailserver") and (node.ready is False or not node.enode)
    ]


def image_in_use(fleet: StatusFleet) -> str:
    """Return an image that runs here: a ready member's, so that no broken rollout is in the way.

    Raises:
        CommandError: no operator has started anything.
    """
    status = fleet.status
    members = status.members if status is not None else ()
    running = next((one.version for one in members if one.ready and one.version), "")
    image = running or (status.image if status is not None else None)
    if not image:
        raise CommandError(f"no operator has started {fleet.name} yet, so there is nobody to ask")
    return image


def job(owner: Owner, name: str, fleet: StatusFleet, image: str, deadline_seconds: int) -> JsonDict:
    """Return the Job; it ends after `deadline_seconds` whatever becomes of who started it."""
    body = owner.body(JOB, name, fleet_labels(owner.name, part=PART), owned=False)
    pulled = fleet.spec.image.model_copy(update={"repository": "", "tag": "", "digest": ""})
    pod = canary_pod(owner, pulled, image, [(name, CANARY_KEY)])
    body["spec"] = {
        "backoffLimit": 0,
        "activeDeadlineSeconds": deadline_seconds,
        "ttlSecondsAfterFinished": _KEEP_SECONDS,
        "template": {
            "metadata": {"labels": fleet_labels(owner.name, part=PART)},
            "spec": pod | {"restartPolicy": "Never"},
        },
    }
    return body


def job_secret(owner: Owner, made: Mapping[str, Any], settings: Mapping[str, Any]) -> JsonDict:
    """Return the Secret of a Job that was `made`; it goes with it."""
    name = made["metadata"]["name"]
    body = owner.body(SECRET, name, fleet_labels(owner.name, part=PART), owned=False)
    body["metadata"]["ownerReferences"] = [
        {
            "apiVersion": JOB.api_version,
            "kind": JOB.kind,
            "name": name,
            "uid": made["metadata"]["uid"],
        }
    ]
    data = base64.b64encode(json.dumps(dict(settings)).encode()).decode()
    return body | {"type": "Opaque", "data": {CANARY_KEY: data}}


def steps_of(runs: Iterable[Sequence[LegDetail]]) -> list[Step]:
    """Return what runs found, by part and member, in the order of a run."""
    found: dict[tuple[str, str], list[LegDetail]] = {}
    for legs in runs:
        for leg in legs:
            found.setdefault((leg.leg, leg.member), []).append(leg)
    order = list(dict.fromkeys(leg for leg, _ in found))
    return [
        Step(
            leg,
            member,
            max((one.latency_ms for one in legs if one.latency_ms is not None), default=None),
            next((one.error for one in legs if one.error), ""),
        )
        for (leg, member), legs in sorted(
            found.items(), key=lambda item: (order.index(item[0][0]), item[0][1])
        )
    ]


def verdict_lines(runs: Sequence[Sequence[LegDetail]]) -> Iterator[str]:
    """Yield the lines that tell what runs found: the slowest pass of each leg, by member."""
    steps = {(step.leg, step.member): step for step in steps_of(runs)}
    legs = list(dict.fromkeys(leg for leg, _ in steps))
    members = list(dict.fromkeys(member for _, member in steps))
    rows = [(member, *(_time(steps.get((leg, member))) for leg in legs)) for member in members]
    lines = columns(("MEMBER", *(leg.upper() for leg in legs)), rows)
    yield next(lines)
    for member, line in zip(members, lines, strict=True):
        yield line
        for step in steps.values():
            if step.member == member and step.error:
                yield f"  {step.leg}: {step.error}"
    good = sum(all(not leg.error for leg in legs) for legs in runs)
    relayed = [leg.latency_ms for legs in runs for leg in legs if leg.leg == "receive"]
    times = [time for time in relayed if time is not None]
    usual = f"; a message takes {statistics.median(times):.0f} ms" if times else ""
    passed = "passed" if good == len(runs) else "failed"
    many = "run" if len(runs) == 1 else "runs"
    yield f"{passed}: {good} of {len(runs)} {many} without a failure{usual}"


def all_passed(runs: Sequence[Sequence[LegDetail]]) -> bool:
    """Tell whether no part of any run failed."""
    return all(legs and all(not leg.error for leg in legs) for legs in runs)


def _time(step: Step | None) -> str:
    if step is None:
        return ""
    if step.slowest_ms is None or step.error:
        return "failed"
    return f"{step.slowest_ms:.1f} ms"


def _targets(nodes: Iterable[Node], role: str) -> tuple[tuple[str, Enode], ...]:
    return tuple(
        (node.name, Enode.parse(node.enode)) for node in nodes if node.role == role and node.enode
    )


def _rate_limit(fleet: StatusFleet) -> float:
    """Return how long a mailserver may keep one peer waiting between two requests (seconds)."""
    mailserver = fleet.spec.roles.mailserver
    if mailserver is None:
        return 0.0
    named = _waku(mailserver).get("MailServerRateLimit")
    return float(named) if isinstance(named, int) else float(mailserver.rate_limit.whole_seconds)


def _min_pow(role: object) -> float:
    if not isinstance(role, NodeRoleSpec):
        return 0.0
    named = _waku(role).get("MinimumPoW")
    return float(named) if isinstance(named, int | float) else role.min_pow


def _waku(role: NodeRoleSpec | Mailserver) -> Mapping[str, Any]:
    section = role.config.get("WakuConfig")
    return section if isinstance(section, dict) else {}
