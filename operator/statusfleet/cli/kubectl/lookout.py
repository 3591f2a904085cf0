"""Whether an operator is at work at all: else what a fleet says of itself is old, and edits wait.

The leading operator renews its Lease every two seconds. Its clock and ours may differ, so one that
looks old is looked at twice before anything is said. Whoever may not read Leases is told nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from statusfleet.cli.kubectl.cluster import Remote
from statusfleet.cli.kubectl.columns import age
from statusfleet.kube import AnswerError, ForbiddenError
from statusfleet.kube.kinds import LEASE, Body, JsonDict
from statusfleet.kube.lease import LEASE_NAME
from statusfleet.reconcile.status import moment
from statusfleet.worlds.kubernetes.networkpolicy import OPERATOR

USUAL_NAMESPACE: Final = "statusfleet-system"
AGAIN_SECONDS: Final = 4.0
"""In which time an operator that leads renews its Lease."""
_SILENT_SECONDS: Final = 60.0
"""Another operator takes over within twenty seconds."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """How a Lease was renewed last: when (unix seconds, by the operator's clock), and where."""

    at: float
    namespace: str
    version: str


class Lookout:
    """Looks at the Leases of the operators of a cluster."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._seen: tuple[Renewal, ...] | None = None
        """None where none may be read."""
        self._still = False

    async def settle(self) -> None:
        """Look as often as it takes to tell."""
        await self.look()
        if self._seems_silent(time.time()) and not self._still:
            await asyncio.sleep(AGAIN_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Look once more, at the soonest `AGAIN_SECONDS` after the last time."""
        before, self._seen = self._seen, await _renewals(self._remote)
        self._still = before is not None and before == self._seen

    def lines(self, now: float) -> tuple[str, ...]:
        """Return what is to be said, nothing of an operator at work; `now` is in unix seconds."""
        if self._seen is None:
            return ()
        labels = ",".join(f"{key}={value}" for key, value in OPERATOR.items())
        if not self._seen:
            told = f"no operator has been at work yet: no namespace has a Lease {LEASE_NAME}"
            return told, f"  next: kubectl get pods -A -l {labels}"
        if not (self._still and self._seems_silent(now)):
            return ()
        last = self._last(self._seen)
        told = (
            f"no operator has renewed its Lease {last.namespace}/{LEASE_NAME} for "
            f"{age(now - last.at)}: what you see is from {moment(last.at)}, and edits wait"
        )
        return told, f"  next: kubectl get pods -n {last.namespace} -l {labels}"

    def _seems_silent(self, now: float) -> bool:
        """Tell whether the last renewal was long ago, or is still to come by our clock."""
        return bool(self._seen) and abs(now - self._last(self._seen).at) > _SILENT_SECONDS

    @staticmethod
    def _last(renewals: Iterable[Renewal] | None) -> Renewal:
        return max(renewals or (), key=lambda renewal: renewal.at)


async def _renewals(remote: Remote) -> tuple[Renewal, ...] | None:
    """Return the Leases that can be seen, None where none may be read."""
    try:
        found = await remote.client.list(LEASE, fields=f"metadata.name={LEASE_NAME}")
    except ForbiddenError:
        there = [await _lease(remote, place) for place in (USUAL_NAMESPACE, remote.namespace)]
        # It may also stand where we cannot look.
        return tuple(_renewal(lease) for lease in there if lease is not None) or None
    except AnswerError:
        return None
    return tuple(map(_renewal, found))


async def _lease(remote: Remote, namespace: str) -> JsonDict | None:
    try:
        return await remote.client.find(LEASE, namespace, LEASE_NAME)
    except AnswerError:
        return None


def _renewal(lease: Body) -> Renewal:
    metadata, spec = lease["metadata"], lease.get("spec") or {}
    at = 0.0
    if spec.get("renewTime"):
        at = datetime.fromisoformat(spec["renewTime"]).timestamp()
    return Renewal(at, metadata["namespace"], str(metadata["resourceVersion"]))
