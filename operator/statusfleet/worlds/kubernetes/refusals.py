"""Why no pod is made for a member, as the cluster says it in Events of its StatefulSet.

Admission refuses a pod to the controller that makes it, and nothing else tells of that: not the
StatefulSet, and there is no pod to look at. So these Events are read, and only while a pod that is
wanted is missing: after some seconds, then less and less often, of a few StatefulSets at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from statusfleet.kube.errors import AnswerError
from statusfleet.kube.kinds import EVENT, STATEFUL_SET, Body
from statusfleet.kube.reading import KubeReader

FIRST_LOOK_SECONDS: Final = 10.0
SLOWEST_LOOK_SECONDS: Final = 30.0
MOST_ASKED: Final = 3
"""StatefulSets of one fleet that are asked about at a time: those that lack their pod longest."""
_LONGEST_TEXT: Final = 300
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_log = logging.getLogger(__name__)


class Refusals:
    """What is known of one fleet's pods that cannot be made; asks nothing while all are there."""

    def __init__(self, client: KubeReader, namespace: str, changed: Callable[[], None]) -> None:
        """Take the cluster, and whom to tell that something was asked."""
        self._client = client
        self._namespace = namespace
        self._changed = changed
        self._missing: tuple[str, ...] = ()
        self._said: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None

    def said(self, stateful_set: str) -> str:
        """Return what keeps the pod of a StatefulSet from being made; "" while nobody knows."""
        return self._said.get(stateful_set, "")

    def follow(self, group: asyncio.TaskGroup, missing: Collection[str]) -> None:
        """Ask from now on about these StatefulSets, which lack their pod, and no others."""
        # Those that lack it longest stay first.
        stay = [name for name in self._missing if name in missing]
        self._missing = (*stay, *(name for name in missing if name not in self._missing))
        self._said = {name: text for name, text in self._said.items() if name in missing}
        if not missing:
            self.stop()
        elif self._task is None:
            self._task = group.create_task(self._ask_on(), name="ask why pods are missing")

    def stop(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _ask_on(self) -> None:
        wait = FIRST_LOOK_SECONDS
        while True:
            await asyncio.sleep(wait)
            for name in self._missing[:MOST_ASKED]:
                self._said[name] = await self._ask(name)
            # Whatever was found: how long it lasts is worth a word by itself.
            self._changed()
            wait = min(2 * wait, SLOWEST_LOOK_SECONDS)

    async def _ask(self, stateful_set: str) -> str:
        about = f"involvedObject.kind={STATEFUL_SET},involvedObject.name={stateful_set}"
        try:
            events = await self._client.list(EVENT, self._namespace, fields=about)
        except AnswerError as error:
            _log.info("nobody knows why %s has no pod: %s", stateful_set, error)
            return ""
        return refusal(events)


def refusal(events: Iterable[Body]) -> str:
    """Return why the last attempt to make a pod failed, from the Events of its StatefulSet.

    "" where it did not fail.
    """
    attempts = [event for event in events if str(event.get("reason", "")).endswith("Create")]
    last: Mapping[str, Any] = max(attempts, key=_moment, default={})
    if last.get("reason") != "FailedCreate":
        return ""
    message = str(last.get("message", ""))
    # `create Pod p in StatefulSet s failed error: pods "p" is forbidden: …` (its controller).
    _, found, words = message.partition(" failed error: ")
    return (words if found else message)[:_LONGEST_TEXT]


def _moment(event: Body) -> datetime:
    text = event.get("lastTimestamp") or event.get("eventTime")
    return datetime.fromisoformat(str(text)) if text else _NEVER
