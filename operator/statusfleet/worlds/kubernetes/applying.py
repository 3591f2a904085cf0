"""Writes an object only when it is not as it should be: what keeps a fleet at rest silent.

An object bears the digest of what was last applied to it (`statusfleet.io/intent`). It is applied
anew when the digest of the present wish is another, when it is gone, or when somebody has taken a
field of ours since (`ownership`), also while no operator ran.

Why memory on top of watches: a watch shows our own write some time later, and until then the old
record would be written again, or an object that was just made be made again. So the answer to a
write stands for the object until the watch has caught up; where it has not after ten seconds, the
write has been undone. Nothing here must survive a restart: the first look costs no write.

What cannot be applied because of its content (a field that somebody else holds, an invalid value,
no right, another's object of that name) stays a problem, is told of, and is tried again only when
wish or object changes, or after a minute, for as long as somebody asks for it. So does what a
webhook has to judge that does not answer, and that is tried again after a second, two, four, …, a
minute. One object's problem never keeps another from being applied.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeVar

from statusfleet.kube.client import ABSENT, KubeClient
from statusfleet.kube.errors import (
    AdmissionError,
    AnswerError,
    ConflictError,
    FieldConflictError,
    ForbiddenError,
    InvalidError,
)
from statusfleet.kube.kinds import Body, JsonDict, Kind
from statusfleet.kube.requests import identity
from statusfleet.worlds.kubernetes.belonging import whose
from statusfleet.worlds.kubernetes.names import INTENT
from statusfleet.worlds.kubernetes.ownership import holds
from statusfleet.worlds.kubernetes.records import (
    Applied,
    Child,
    record_of,
)

CATCH_UP_SECONDS: Final = 10.0
MOST_AT_ONCE: Final = 64
"""Members of one fleet that are worked on before others get their turn."""
RETRY_SECONDS: Final = 60.0
_SOON_SECONDS: Final = 1.0

REFUSALS: Final = (AdmissionError, ForbiddenError, InvalidError)
"""Answers that speak of one object, and say nothing of the others."""

Key = tuple[str, str]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The object's record, None where there is none, and whether it was written just now."""

    record: Applied | None
    written: bool = False


@dataclass(frozen=True, slots=True)
class _Written:
    record: Applied
    at: float


@dataclass(frozen=True, slots=True)
class _Refused:
    intent: str
    version: int
    problem: str
    wait: float
    until: float


class _TakenError(Exception):
    """Another has an object of that name; the message says who."""


class Applier:
    """What was applied to the objects of one fleet, and what could not be."""

    def __init__(self, client: KubeClient, now: Callable[[], float]) -> None:
        self._client = client
        self._now = now
        self._written: dict[Key, _Written] = {}
        self._partly: dict[Key, tuple[str, str]] = {}
        """Intent and fields of each object of which a write leaves something that is not ours."""
        self._refused: dict[Key, _Refused] = {}
        self._asked: set[Key] = set()
        """Objects that were to be applied or deleted since the last `settle`."""

    @property
    def problems(self) -> dict[str, str]:
        """What could not be applied and why, by kind and name."""
        return {f"{kind} {name}": r.problem for (kind, name), r in sorted(self._refused.items())}

    @property
    def retry_at(self) -> float | None:
        """When to try again what could not be applied (Unix seconds), if there is anything.

        What a pass has not asked for although its time had come, such as of a paused fleet, is no
        reason for another.
        """
        now = self._now()
        dates = (refused.until for refused in self._refused.values())
        return min((date for date in dates if date > now), default=None)

    def is_refused(self, body: Body) -> bool:
        """Tell whether an object is not as `apply` was last told to make it."""
        return (body["kind"], body["metadata"]["name"]) in self._refused

    def latest(self, key: Key, seen: Applied | None) -> Applied | None:
        """Return the newer one of what a watch shows and what our last write was answered."""
        written = self._written.get(key)
        if written is None:
            return seen
        mine = child_of(written.record)
        if seen is not None and child_of(seen).version >= mine.version:
            del self._written[key]
            return seen
        if self._now() - written.at < CATCH_UP_SECONDS:
            return written.record
        del self._written[key]
        return seen

    async def apply(self, body: JsonDict, seen: Applied | None) -> Outcome:
        """Have the object be as `body` says.

        Raises:
            TransientError: the API server does not answer, or not now.
            ConflictError: somebody else wrote at the same moment.
            NotLeaderError: this process leads no more.
        """
        intent = digest(body)
        body["metadata"].setdefault("annotations", {})[INTENT] = intent
        key = body["kind"], body["metadata"]["name"]
        self._asked.add(key)
        present = self.latest(key, seen)
        child = child_of(present) if present is not None else None
        if child is not None and self._is_right(key, child, intent, body):
            self._refused.pop(key, None)
            return Outcome(present)
        if self._must_wait(key, child, intent):
            return Outcome(present)
        try:
            made = await (self._make(body) if child is None else self._client.apply(body))
            record = record_of(made)
        except (_TakenError, FieldConflictError, *REFUSALS) as error:
            self.refuse(key, error, intent, child.version if child is not None else 0)
            return Outcome(present)
        assert isinstance(record, Applied)  # noqa: S101 - of the kinds that are applied
        self._refused.pop(key, None)
        self._written[key] = _Written(record, self._now())
        owned = child_of(record).owned
        if not holds(owned, body):
            self._partly[key] = intent, owned  # another write would change nothing
        return Outcome(record, written=True)

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str = "") -> bool:
        """Have an object be gone, and tell whether it is, or goes.

        One that is another by now (`uid`) is left alone, and so is one that may not go.

        Raises:
            TransientError: the API server does not answer, or not now.
        """
        key = kind.kind, name
        self._asked.add(key)
        try:
            await self._client.delete(kind, namespace, name, uid=uid)
        except ConflictError:
            return False
        except REFUSALS as error:
            self.refuse(key, error)
            return False
        self.forget(key)
        return True

    def refuse(
        self, key: Key, error: AnswerError | _TakenError, intent: str = "", version: int = 0
    ) -> None:
        """Note what has become of an object that was asked for, also of one that others make."""
        self._asked.add(key)
        wait = RETRY_SECONDS
        if isinstance(error, AdmissionError):
            before = self._refused.get(key)
            wait = min(wait, 2 * before.wait) if before is not None else _SOON_SECONDS
        until = self._now() + wait
        self._refused[key] = _Refused(intent, version, describe(error), wait, until)

    def forget(self, key: Key) -> None:
        """Forget an object that should be no more."""
        self._written.pop(key, None)
        self._partly.pop(key, None)
        self._refused.pop(key, None)

    def settle(self) -> None:
        """Let go of what was refused and nobody has asked for since the last call."""
        self._refused = {key: said for key, said in self._refused.items() if key in self._asked}
        self._asked = set()

    async def _make(self, body: JsonDict) -> JsonDict:
        """Make an object that nobody has seen; one that is there after all is looked at first.

        An apply that may only make spares a look at each name, and nobody can come between. A POST
        would do so too, and its fields would be ours for ever: managed fields of an update, which
        no later apply takes out.

        Raises:
            _TakenError: somebody else has an object of that name.
        """
        try:
            return await self._client.apply(body, resource_version=ABSENT)
        except ConflictError:
            kind, namespace, name = identity(body)
            # A list needs no other right than the watches do.
            about = f"metadata.name={name}"
            found = await self._client.list(kind, namespace, fields=about, metadata_only=True)
            if not found:
                raise  # it has gone this moment
        if holder := whose(found[0], body):
            raise _TakenError(holder)
        version = found[0]["metadata"]["resourceVersion"]
        return await self._client.apply(body, resource_version=version)

    def _is_right(self, key: Key, child: Child, intent: str, body: Body) -> bool:
        if child.intent != intent:
            return False
        return self._partly.get(key) == (intent, child.owned) or holds(child.owned, body)

    def _must_wait(self, key: Key, child: Child | None, intent: str) -> bool:
        if child is not None and child.deleting:
            return True  # made anew once it is gone
        refused = self._refused.get(key)
        version = child.version if child is not None else 0
        return (
            refused is not None
            and (refused.intent, refused.version) == (intent, version)
            and self._now() < refused.until
        )


def child_of(record: Applied) -> Child:
    """Return what every record of ours has."""
    return record if isinstance(record, Child) else record.child


def digest(body: Body) -> str:
    """Return the digest of what should be applied."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def describe(error: AnswerError | _TakenError) -> str:
    """Say what an answer means and what to do about it."""
    if isinstance(error, _TakenError):
        return (
            f"there is one already that belongs to {error}: it is left as it is; delete that one, "
            "or give the fleet another name"
        )
    if isinstance(error, FieldConflictError):
        held = "; ".join(f"{field} is held by {manager}" for field, manager in error.fields)
        return (
            f"{held}: it is left as it is; take it out of the object there, or set it to what "
            "the fleet wants"
        )
    return str(error)


async def in_turns(items: Iterable[Item]) -> AsyncIterator[Item]:
    """Give items to work on; now and then it is the turn of others."""
    for place, item in enumerate(items, start=1):
        yield item
        if place % MOST_AT_ONCE == 0:
            await asyncio.sleep(0)


async def together(calls: Iterable[Awaitable[None]]) -> None:
    """Do all of it, so many at a time side by side; only then raise what went wrong first."""
    left, failed = iter(calls), None
    while batch := list(islice(left, MOST_AT_ONCE)):
        results = await asyncio.gather(*batch, return_exceptions=True)
        if failed is None:
            failed = next((result for result in results if result is not None), None)
    if failed is not None:
        raise failed
