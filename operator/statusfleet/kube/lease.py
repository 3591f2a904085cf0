"""Leadership by a Lease: of several operators one works, and another goes on when it ends.

A Lease names its holder and is renewed every 2 s. Who does not hold it watches: unchanged for its
15 s *by the watcher's own clock* (clocks of machines differ), it may be taken, by compare-and-swap.
A holder that could not renew for 10 s must stop before the others may begin, so it counts itself
out, and its process exits. Source of the mechanism: client-go, `tools/leaderelection`.

A process that was stopped and wakes up finds its own time over before anything is sent: `leads` is
a question to the clock, not a memory, and `KubeClient.may_write` asks it before each write.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from statusfleet.kube.client import KubeClient
from statusfleet.kube.errors import (
    AlreadyExistsError,
    AnswerError,
    ConflictError,
    ForbiddenError,
    KubeError,
    NotFoundError,
    TransientError,
)
from statusfleet.kube.kinds import LEASE, JsonDict

LEASE_NAME: Final = "statusfleet"
_log = logging.getLogger(__name__)


class LeadershipLostError(KubeError):
    """The Lease could not be renewed in time, or another holds it: stop everything and exit."""


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds: how long a Lease holds, until when its holder must have renewed it, how often."""

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0


class Leadership:
    """One process's part in the election.

    `await acquire()`, then `await keep()` beside the work, then `await release()`.
    """

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        identity: str,
        *,
        name: str = LEASE_NAME,
        times: LeaseTimes | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take a client of its own, so that renewals never wait behind other requests.

        `identity` must be another for each process, such as pod name and a random part. `clock`
        gives seconds, and goes on while the process is stopped.
        """
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._times = times or LeaseTimes()
        self._clock = clock
        self._renewed: float | None = None
        self._seen: tuple[str, float] = ("", clock())

    @property
    def leads(self) -> bool:
        """Whether this process may act as the leader at this very moment."""
        renewed = self._renewed
        return renewed is not None and self._clock() - renewed < self._times.renew_deadline

    async def acquire(self) -> None:
        """Wait until this process leads."""
        while True:
            if await self._try("taken"):
                return
            await asyncio.sleep(self._times.retry)

    async def keep(self) -> None:
        """Renew for as long as this process leads; never returns.

        Raises:
            LeadershipLostError: it leads no more.
        """
        while True:
            await asyncio.sleep(self._times.retry)
            # Before the attempt: a process that slept through its time must not take it up again.
            self._check()
            await self._try("renewed")
            self._check()

    async def release(self) -> None:
        """Let the Lease go, so that another need not wait for its end.

        Whoever was told to stop in the middle of an attempt may hold it without knowing.
        """
        self._renewed = None
        try:
            lease = await self._client.get(LEASE, self._namespace, self._name)
            if _holder(lease) == self._identity:
                await self._client.replace(self._filled(lease, holder=""))
        except AnswerError as error:
            _log.info("the lease ends by itself, since it was not released: %s", error)

    def _check(self) -> None:
        if not self.leads:
            raise LeadershipLostError(
                f"the lease {self._namespace}/{self._name} was not renewed within "
                f"{self._times.renew_deadline:g} s, or another holds it"
            )

    async def _try(self, verb: str) -> bool:
        """Take or renew the Lease; tell whether that worked. Sets `leads`."""
        started = self._clock()
        try:
            async with asyncio.timeout(self._times.renew_deadline / 2):
                done = await self._swap()
        except (ConflictError, AlreadyExistsError):
            return False  # Somebody was quicker; the next attempt sees whom.
        except (TransientError, ForbiddenError, TimeoutError) as error:
            _log.warning("the lease %s cannot be %s: %s", self._name, verb, error or "no answer")
            return False
        # Counted from before the request, as the server may have stamped it at once.
        self._renewed = started if done else None
        return done

    async def _swap(self) -> bool:
        try:
            lease = await self._client.get(LEASE, self._namespace, self._name)
        except NotFoundError:
            await self._client.create(self._filled(self._empty(), holder=self._identity))
            return True
        holder = _holder(lease)
        if holder not in ("", self._identity) and not self._is_over(lease):
            return False
        await self._client.replace(self._filled(lease, holder=self._identity))
        return True

    def _is_over(self, lease: JsonDict) -> bool:
        """Tell whether another's Lease stood unchanged for its whole time, by our own clock."""
        version = str(lease["metadata"]["resourceVersion"])
        if version != self._seen[0]:
            self._seen = (version, self._clock())
        duration = float(lease["spec"].get("leaseDurationSeconds") or self._times.duration)
        return self._clock() - self._seen[1] >= duration

    def _empty(self) -> JsonDict:
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"namespace": self._namespace, "name": self._name},
            "spec": {},
        }

    def _filled(self, lease: JsonDict, *, holder: str) -> JsonDict:
        spec = lease.get("spec") or {}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        taken = spec.get("holderIdentity") != holder
        filled = {
            "holderIdentity": holder,
            # Whole seconds, as the API wants them; and a released Lease is soon over.
            "leaseDurationSeconds": max(1, round(self._times.duration)) if holder else 1,
            "renewTime": now,
            "acquireTime": now if taken else spec.get("acquireTime", now),
            "leaseTransitions": int(spec.get("leaseTransitions") or 0) + (taken and bool(spec)),
        }
        return lease | {"spec": spec | filled}


def _holder(lease: JsonDict) -> str:
    return str((lease.get("spec") or {}).get("holderIdentity") or "")
