"""Events for whoever runs `kubectl describe`: what changed, once for each change."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from statusfleet.api.applicability import not_applicable
from statusfleet.api.fleet import API_VERSION, KIND, StatusFleet
from statusfleet.kube.client import KubeClient
from statusfleet.kube.errors import KubeError
from statusfleet.kube.kinds import EVENT, JsonDict
from statusfleet.reconcile.reasons import Reason
from statusfleet.reconcile.status import moment
from statusfleet.worlds.kubernetes.names import Owner

_COMPONENT: Final = "statusfleet"
_LONGEST: Final = 1000
_GOOD: Final = frozenset({"Ready", "AddressesReady", "Reachable", "TreePublished", "CanaryPassing"})
"""Conditions whose loss is worth a warning; of the others, only the reason is told."""
_FOR_A_PERSON: Final = frozenset(
    {
        Reason.BLOCKED,
        Reason.INVALID_EDIT,
        Reason.INVALID_SPEC,
        Reason.NOT_APPLIED,
        Reason.ROLLOUT_STOPPED,
        Reason.SIGNING_REFUSED,
        Reason.SINK_FAILED,
    }
)
"""Reasons that somebody has to see to: told of at once, whatever the condition was before."""
_SILENT: Final = frozenset({"TreePropagated"})
LASTING_SECONDS: Final = 60.0
"""After which time it is worth a warning that something is lost that every start lacks at first."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to say."""

    reason: str
    message: str
    warning: bool = False


def notices(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Notice]:
    """Yield what to say when one status follows another."""
    old = {one.get("type"): one for one in before.get("conditions") or ()}
    for one in after.get("conditions") or ():
        kind, status = one["type"], one["status"]
        known = old.get(kind) or {}
        if one["reason"] in _FOR_A_PERSON and known.get("reason") != one["reason"]:
            yield _notice(one, warning=True)
        if one["reason"] in _FOR_A_PERSON or kind in _SILENT or known.get("status") == status:
            continue
        if kind in _GOOD:
            if status == "False" and (not known or one["reason"] == Reason.ROLLING_OUT):
                continue  # it has only just begun, or Progressing says so
            if _may_pass(before, after, one):
                continue
            if status != "Unknown":
                wanted = one["reason"] == Reason.DELETING
                yield _notice(one, warning=status == "False" and not wanted)
        elif status == "True":
            yield _notice(one)


class Patience:
    """Says what changed, but not at once what may pass by itself, and nothing twice in a row.

    A member that is just being started has no address yet, and its fleet is not ready: nothing to
    warn of, unless it stays so. And the members of a fleet are reached one after the other, which
    is worth a word once.
    """

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._told: dict[Notice, float] = {}

    @property
    def next_look(self) -> float | None:
        """When something will have lasted for long enough (unix seconds)."""
        return min(self._until.values(), default=None)

    def notices(
        self, before: Mapping[str, Any], after: Mapping[str, Any], now: float
    ) -> Iterator[Notice]:
        """Yield what to say when one status follows another; `now` is in unix seconds."""
        self._told = {one: at for one, at in self._told.items() if now - at < LASTING_SECONDS}
        for notice in (*notices(before, after), *self._over(before, after, now)):
            if notice.warning:
                self._told.clear()  # what is well again after that is worth a word
            if notice not in self._told:
                self._told[notice] = now
                yield notice

    def _over(
        self, before: Mapping[str, Any], after: Mapping[str, Any], now: float
    ) -> Iterator[Notice]:
        """Take that one status follows another; yield what has lasted."""
        old = {one.get("type"): one.get("status") for one in before.get("conditions") or ()}
        for one in after.get("conditions") or ():
            kind = one["type"]
            if one["status"] != "False" or one["reason"] in _FOR_A_PERSON:
                self._until.pop(kind, None)
            elif old.get(kind) != "False" and _may_pass(before, after, one):
                self._until[kind] = now + LASTING_SECONDS
            elif self._until.get(kind, now + 1) <= now:
                del self._until[kind]
                yield _notice(one, warning=True)


def restarts(names: Iterable[str]) -> Iterator[Notice]:
    """Yield a notice for each member that a rollout starts anew."""
    for name in names:
        yield Notice("Restarting", f"{name} is started anew: what it was started with has changed")


def left(sinks: Iterable[str]) -> Iterator[Notice]:
    """Yield a notice for each sink that a spec names no more and where the tree is left."""
    for name in sorted(sinks):
        text = f"the tree stays at {name} as it was: spec.deletion.tree is Keep"
        yield Notice("TreeLeft", text, True)


def orphaned() -> Notice:
    """Return what to say of a fleet that was deleted without what belongs to it."""
    text = (
        "deleted with --cascade=orphan: members, DNS servers and canary run on, and the tree "
        "stays; a fleet of the same name takes them over"
    )
    return Notice("Orphaned", text)


def mended(message: str, *, complete: bool) -> Notice:
    """Return what to say of a memory that was made whole, as it was before or not."""
    return Notice("MemoryMended", message, not complete)


def unused(fleet: StatusFleet, before: Mapping[str, Any]) -> Iterator[Notice]:
    """Yield what of a spec has no effect, once for each spec: where `before` is of another."""
    if before.get("observedGeneration") != fleet.metadata.generation:
        for path, sentence in not_applicable(fleet.spec, "kubernetes"):
            yield Notice(Reason.NOT_APPLICABLE, f"{path}: {sentence}")


class Noticeboard:
    """Posts notices of one fleet."""

    def __init__(self, client: KubeClient, owner: Owner) -> None:
        self._client = client
        self._owner = owner
        self._count = 0

    async def post(self, found: Iterable[Notice], now: float) -> None:
        """Post notices; one that cannot be posted is let go, since the status says it too."""
        for notice in found:
            try:
                await self._client.create(self._body(notice, now))
            except KubeError as error:
                _log.debug("a notice was not posted: %s", error)

    def _body(self, notice: Notice, now: float) -> JsonDict:
        self._count += 1
        owner = self._owner
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {
                "namespace": owner.namespace,
                "name": f"{owner.name}.{int(now * 1e6):x}.{self._count:x}",
            },
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "namespace": owner.namespace,
                "name": owner.name,
                "uid": owner.uid,
            },
            "type": "Warning" if notice.warning else "Normal",
            "reason": notice.reason,
            "message": notice.message[:_LONGEST],
            "source": {"component": _COMPONENT},
            "firstTimestamp": moment(now),
            "lastTimestamp": moment(now),
            "count": 1,
        }


def _may_pass(before: Mapping[str, Any], after: Mapping[str, Any], lost: Mapping[str, Any]) -> bool:
    """Tell whether what is lost may come with a start alone, of members that the spec has added, or
    with a move: another address has to be tried before it is published.
    """
    if lost["reason"] in (Reason.ADDRESS_MISSING, Reason.NOT_PUBLISHED):
        return True
    seen = before.get("observedGeneration")
    edited = seen is not None and seen != after.get("observedGeneration")
    return edited and (lost["type"], lost["reason"]) == ("Ready", Reason.MEMBERS_NOT_READY)


def _notice(condition: Mapping[str, Any], *, warning: bool = False) -> Notice:
    kind, reason, message = condition["type"], condition["reason"], condition.get("message", "")
    text = f"{kind}: {message}" if message else f"{kind} is {condition['status']}"
    return Notice(reason, text, warning)
