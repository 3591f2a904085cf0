"""Whether what Kopf's watch tells of fleets comes in: compared with a watch of our own.

A watch that is dead says nothing, as one of fleets does that nobody touches. So a second one asks
for the same fleets, for nothing but their metadata: what it has seen must be told by Kopf soon. The
two share neither connection nor program. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from statusfleet.kube.kinds import JsonDict

_GONE: Final = 1 << 64
"""Later than every resourceVersion: the fleet is no more."""


@dataclass(frozen=True, slots=True)
class _Late:
    """What Kopf has not told yet of a fleet, and since when not."""

    version: int
    since: float


class FleetLag:
    """What our own watch has seen of fleets and Kopf has not told (`following.Keeper`)."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Take a clock that gives seconds."""
        self._clock = clock
        self._told: dict[str, int] = {}
        self._late: dict[str, _Late] = {}
        self._missing: set[str] = set()
        self._heard: float | None = None

    @property
    def silent_seconds(self) -> float:
        """For how long Kopf has told nothing although there is something to be told."""
        if self._heard is None or not self._late:
            return 0.0
        return self._clock() - max(self._heard, min(one.since for one in self._late.values()))

    # ── what Kopf tells ──

    def start(self) -> None:
        """Kopf begins, also anew: it should tell of everything that is there."""
        now = self._clock()
        if self._heard is None:
            self._heard = now
        awaited = {**{uid: one.version for uid, one in self._late.items()}, **self._told}
        self._late = {
            uid: self._late.get(uid) or _Late(version, now)
            for uid, version in awaited.items()
            if uid not in self._late or self._late[uid].version < _GONE  # it need not tell of those
        }
        self._told = {}

    def rest(self) -> None:
        """Until it starts again, Kopf need tell nothing."""
        self._heard = None

    def told(self, body: JsonDict, *, gone: bool = False) -> None:
        """Kopf has told of a fleet, or (`gone`) that it is no more."""
        self._heard = now = self._clock()
        uid, version = _identity(body)
        if gone:
            self._told.pop(uid, None)
            self._late.pop(uid, None)
            return
        self._told[uid] = version
        late = self._late.get(uid)
        if late is None:
            return
        if late.version <= version:
            del self._late[uid]
        else:
            self._late[uid] = replace(late, since=now)

    # ── what our own watch tells ──

    def begin(self) -> None:
        """From here on everything is told that is there."""
        self._missing = {*self._told, *self._late}

    def seen(self, body: JsonDict, *, changed: bool = True) -> None:
        """A fleet is there, or has changed."""
        uid, version = _identity(body)
        self._missing.discard(uid)
        if version > self._told.get(uid, -1):
            self._wait_for(uid, version)

    def gone(self, body: JsonDict) -> None:
        """A fleet is no more."""
        self._end(_identity(body)[0])

    def complete(self) -> None:
        """Everything was told: what was not is no more."""
        for uid in self._missing:
            self._end(uid)
        self._missing = set()

    def _end(self, uid: str) -> None:
        if uid in self._told:
            self._wait_for(uid, _GONE)
        else:
            self._late.pop(uid, None)

    def _wait_for(self, uid: str, version: int) -> None:
        late = self._late.get(uid)
        self._late[uid] = _Late(version, late.since if late is not None else self._clock())


def _identity(body: JsonDict) -> tuple[str, int]:
    """Return a fleet's uid and resourceVersion, greater for the later of two states."""
    metadata = body["metadata"]
    version = str(metadata.get("resourceVersion", ""))
    return str(metadata["uid"]), int(version) if version.isdecimal() else 0
