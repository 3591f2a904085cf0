"""The canary of a fleet on a cluster: its objects, and the lines that it writes to its log.

The log is read through the API server, so no network policy has to let anybody in, and the
program needs to know nothing of clusters.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from statusfleet.api.spec import Image
from statusfleet.kube.client import KubeClient
from statusfleet.kube.errors import AnswerError
from statusfleet.kube.kinds import DEPLOYMENT, NETWORK_POLICY, SECRET, JsonDict, Kind
from statusfleet.plan import CanaryVerdict
from statusfleet.plan.types import JsonObject
from statusfleet.worlds.canary import read_verdict, timely
from statusfleet.worlds.kubernetes.deployment import canary_deployment
from statusfleet.worlds.kubernetes.names import CANARY, Owner
from statusfleet.worlds.kubernetes.networkpolicy import canary_policy
from statusfleet.worlds.kubernetes.records import PodRecord
from statusfleet.worlds.kubernetes.secret import canary_secret, secret_name
from statusfleet.worlds.protocol import CanaryWish

SLOWEST_LOOK_SECONDS: Final = 15.0
FIRST_LOOK_SECONDS: Final = 2.0
_LINES: Final = 5
_BYTES: Final = 64 * 1024
"""Far more than so many verdicts have, and little enough whatever the image writes instead."""
_log = logging.getLogger(__name__)


def canary_objects(
    owner: Owner, settings: JsonObject, image: Image, own: str, *, renew: bool = True
) -> list[JsonDict]:
    """Return what a canary is made of, in the order in which it is needed.

    Without `renew`, only what changes no pod that runs.
    """
    still = [canary_policy(owner), canary_secret(owner, settings)]
    return [*still, canary_deployment(owner, image, own)] if renew else still


def canary_names(owner: Owner) -> list[tuple[Kind, str]]:
    """Return what has to go where there is no canary."""
    name = owner.child(CANARY)
    return [(DEPLOYMENT, name), (SECRET, secret_name(name)), (NETWORK_POLICY, name)]


class CanaryReader:
    """Reads the verdicts of one fleet's canary for as long as it is told to."""

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        pod: Callable[[], PodRecord | None],
        changed: Callable[[], None],
        now: Callable[[], float],
    ) -> None:
        """Take how to find the canary's pod, and whom to tell that a verdict says another thing.

        `now` gives unix seconds.
        """
        self._client = client
        self._namespace = namespace
        self._pod = pod
        self._changed = changed
        self._now = now
        self._wish: CanaryWish | None = None
        self._last: CanaryVerdict | None = None
        self._said: tuple[bool, tuple[str, ...]] | None = None
        self._task: asyncio.Task[None] | None = None

    def verdict(self) -> CanaryVerdict | None:
        """Return what the last run found, or that the canary itself does not run."""
        now = self._now()
        pod = self._pod() if self._task is not None else None
        if pod is not None and pod.problem:
            return CanaryVerdict(False, now, None, (f"running the canary: {pod.problem}",))
        return timely(self._last, self._wish, now)

    def start(self, group: asyncio.TaskGroup, wish: CanaryWish) -> None:
        """Read on until `stop`; a run is seen within a quarter of the interval, or 15 s."""
        self._wish = wish
        if self._task is None:
            self._task = group.create_task(self._read(), name="read canary")

    def stop(self) -> None:
        """Read no more, and forget what was read."""
        self._wish, self._last, self._said = None, None, None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _read(self) -> None:
        while self._wish is not None:
            pod = self._pod()
            if pod is not None and pod.running:
                await self._look(pod)
            self._tell()
            usual = max(
                FIRST_LOOK_SECONDS, min(SLOWEST_LOOK_SECONDS, self._wish.interval_seconds / 4)
            )
            await asyncio.sleep(usual if self._last is not None else FIRST_LOOK_SECONDS)

    async def _look(self, pod: PodRecord) -> None:
        try:
            lines = [
                line
                async for line in self._client.logs(
                    self._namespace,
                    pod.name,
                    container=CANARY,
                    tail_lines=_LINES,
                    limit_bytes=_BYTES,
                )
            ]
        except AnswerError as error:
            _log.info("the log of %s cannot be read: %s", pod.name, error)
            return
        found = next(filter(None, map(read_verdict, reversed(lines))), None)
        if found is not None:
            self._last = found[0]

    def _tell(self) -> None:
        verdict = self.verdict()
        said = (verdict.passed, verdict.failures) if verdict is not None else None
        if said != self._said:
            self._said = said
            self._changed()
