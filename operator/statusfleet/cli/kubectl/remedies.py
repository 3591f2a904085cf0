"""What to run next where a condition is not as it should be. Pure.

By the reason of the condition; where that is only that members do not work, by what the first of
them says. A log is named only where there is one: a container that never started has written none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from statusfleet.api.status import Condition, MemberStatus
from statusfleet.kube.names import FLEET_LABEL
from statusfleet.plan import MemberId
from statusfleet.reconcile.reasons import Reason
from statusfleet.worlds.kubernetes.names import Owner

_BY_REASON: Final[Mapping[str, str]] = {
    Reason.NOT_PUBLISHED: "kubectl statusfleet tree {fleet}",
    Reason.INVALID_EDIT: "kubectl edit statusfleet {fleet}",
    Reason.INVALID_SPEC: "kubectl edit statusfleet {fleet}",
    Reason.NOT_APPLIED: "kubectl describe statusfleet {fleet}",
    Reason.BLOCKED: "kubectl describe statusfleet {fleet}",
    Reason.ADDRESS_MISSING: "kubectl get services {objects}",
    Reason.NOT_REACHED: "kubectl get services,pods -o wide {objects}",
    Reason.SINK_FAILED: "kubectl statusfleet tree {fleet}",
    Reason.SIGNING_REFUSED: "kubectl describe statusfleet {fleet}",
    Reason.WALK_FAILED: "kubectl statusfleet tree {fleet}",
    Reason.FAILED: "kubectl statusfleet logs {fleet} canary",
    Reason.NEWER_OPERATOR: "kubectl statusfleet restart {fleet}",
    Reason.PAUSED_BY_SPEC: "kubectl statusfleet resume {fleet}",
}
"""Reasons that pass by themselves have no command."""
_OF_MEMBERS: Final = frozenset(
    {Reason.MEMBERS_NOT_READY, Reason.WAITING_FOR_MEMBERS, Reason.ROLLOUT_STOPPED}
)
_BY_MESSAGE: Final = (
    ("exited with code", "kubectl statusfleet logs {fleet} {member}"),
    ("was restarted", "kubectl statusfleet logs {fleet} {member} --previous"),
    ("no pod is made for it", "kubectl describe statefulset {stateful_set} -n {namespace}"),
    ("Secret", "kubectl get secrets -n {namespace}"),
    ("its node", "kubectl get nodes -o wide"),
)
"""Which words of a member's message call for which command; the first that are found count."""


def remedy_of(
    condition: Condition, members: Iterable[MemberStatus], metadata: Mapping[str, Any]
) -> str:
    """Return the command that helps the fleet of that name, "" where none does."""
    name, namespace = metadata["name"], metadata["namespace"]
    words = {
        "fleet": f"{name} -n {namespace}",
        "namespace": namespace,
        "objects": f"-n {namespace} -l {FLEET_LABEL}={name}",
    }
    if condition.reason not in _OF_MEMBERS:
        return _BY_REASON.get(condition.reason, "").format_map(words)
    member = _most_telling(condition, members)
    if member is None:
        return "kubectl statusfleet logs {fleet}".format_map(words)
    owner, known = Owner(namespace, name, ""), _id(member)
    words |= {
        "member": member.name,
        "stateful_set": owner.stateful_set(known),
        "pod": owner.pod(known),
    }
    describe = "kubectl describe pod {pod} -n {namespace}"
    message = member.message or ""
    command = next((text for sign, text in _BY_MESSAGE if sign in message), describe)
    return command.format_map(words)


def _most_telling(condition: Condition, members: Iterable[MemberStatus]) -> MemberStatus | None:
    """Return a member that says why it does not work: one that the condition names, if it can."""
    telling = [member for member in members if member.message and not member.ready]
    named = (member for member in telling if f"{member.name}: " in condition.message)
    return next(named, telling[0] if telling else None)


def _id(member: MemberStatus) -> MemberId:
    return MemberId(member.role, int(member.name.rpartition("-")[2]))
