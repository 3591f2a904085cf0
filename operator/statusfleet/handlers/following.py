"""One kind of object, followed for ever: first everything that is there, then what happens to it.

Where the connection breaks, it goes on from the last word; where the server has forgotten from when
on we want to know, everything is listed again. Where it does not know the kind, or does not let us
see it, it is asked again until it does, and everything is listed anew. A kind that not every
cluster has is no less current then: there is nothing of it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final, NoReturn, Protocol

from statusfleet.kube.client import KubeClient
from statusfleet.kube.errors import AnswerError, ConflictError, ForbiddenError, NotFoundError
from statusfleet.kube.kinds import JsonDict, Kind
from statusfleet.kube.reading import SILENCE_SECONDS
from statusfleet.kube.requests import named

_PAGE: Final = 100
_FIRST_RETRY_SECONDS: Final = 1.0
_LONGEST_RETRY_SECONDS: Final = 30.0
_REFUSED_SECONDS: Final = 15.0
"""How often to ask for what is refused, at most: somebody may be about to mend it."""
_STALE_SECONDS: Final = 150.0
"""After which time nobody should go by what was told last; more than a slow server takes to begin
to tell again."""
_SHORT_SECONDS: Final = 5.0
"""A server that ends a watch sooner than that has a reason not to be asked again at once."""
_log = logging.getLogger(__name__)


class Keeper(Protocol):
    """Who keeps what is told of one kind."""

    def begin(self) -> None:
        """From here on everything is told that is there."""
        ...

    def seen(self, body: JsonDict, *, changed: bool) -> None:
        """An object is there; `changed`: it bore the label before, and is not as it was."""
        ...

    def gone(self, body: JsonDict) -> None:
        """An object is no more, or no longer bears the label."""
        ...

    def complete(self) -> None:
        """Everything was told: what was not is no more."""
        ...


class Following:
    """Tells a keeper of one kind in one namespace, "" for all."""

    def __init__(
        self,
        client: KubeClient,
        kind: Kind,
        namespace: str,
        keeper: Keeper,
        *,
        label: str,
        metadata_only: bool,
        listing: asyncio.Semaphore,
        clock: Callable[[], float],
        turned: Callable[[], None],
        optional: bool = False,
    ) -> None:
        """Take what to follow: objects that bear `label`, "" for all.

        `listing` bounds how many list at a time, since a page is large. `clock` gives seconds.
        `turned` is called whenever `current` or `refusal` has changed. An `optional` kind may be
        none of the cluster's, or come and go, and nobody waits for a right to it.
        """
        self._client = client
        self._kind = kind
        self._namespace = namespace
        self._keeper = keeper
        self._label = label
        self._metadata_only = metadata_only
        self._listing = listing
        self._clock = clock
        self._turned = turned
        self._optional = optional
        self._told = False  # that an optional kind is refused
        self._since = ""
        self._heard = clock()
        self._fresh = clock()  # when it was last told of what there is
        self._queued: float | None = None  # since when it waits for its turn to list
        self._taken: float | None = None  # since when the server tells
        self._failures = 0  # since the server last told something
        self.current = False
        """Whether everything was told that is there, and the server has begun to tell the rest."""
        self.refusal: AnswerError | None = None
        """Why it is not current: what the server says instead, more than once."""

    @property
    def silent_seconds(self) -> float:
        """For how long the server has said nothing; to wait for a turn to ask it is no silence.

        A refusal, or "not now", is a word: another process would be told the same.
        """
        now = self._clock() if self._queued is None else self._queued
        return now - self._heard

    async def run(self) -> NoReturn:
        """Follow until cancelled, whatever the server says."""
        while True:
            try:
                if not self._since:
                    async with self._turn():
                        await self._list()
                await self._watch()
                wait = 0.0 if self._has_lasted() else _FIRST_RETRY_SECONDS
            except ConflictError:
                self._since, wait = "", _FIRST_RETRY_SECONDS
            except AnswerError as error:
                wait = self._failed(error)
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))  # noqa: S311 - no secret

    def _has_lasted(self) -> bool:
        """Whether the watch that has ended brought something, or could have."""
        taken, self._taken = self._taken, None
        return taken is not None and self._clock() - taken > _SHORT_SECONDS

    def _failed(self, error: AnswerError) -> float:
        """Note a failure; return after how many seconds to try again."""
        if self._has_lasted():
            self._failures = 0
        # To credentials that are wrong the answer is no word: the next process may have others.
        if error.status and error.status != HTTPStatus.UNAUTHORIZED:
            self._heard = self._clock()
            if isinstance(error, NotFoundError | ForbiddenError):
                return self._do_without(error) if self._optional else self._refused(error)
        # Once is nothing: a server restarts, a connection was idle for too long.
        _log.log(logging.WARNING if self._failures else logging.DEBUG, "%s", error)
        stale = not self._optional and self._clock() - self._fresh > _STALE_SECONDS
        if self._failures and (stale or not self.current):
            self._since = ""
            self._turn_to(error, current=False)
        return self._later(_LONGEST_RETRY_SECONDS)

    def _later(self, longest: float) -> float:
        wait = _FIRST_RETRY_SECONDS * 2.0 ** min(self._failures, 10)
        self._failures += 1
        return min(longest, wait)

    def _do_without(self, error: ForbiddenError | NotFoundError) -> float:
        """Tell that there is nothing of the kind; return after how many seconds to ask again.

        What may be listed and not watched is what it was, until it is listed again.
        """
        if isinstance(error, ForbiddenError) and not self._told:
            _log.warning("%s", error)
            self._told = True
        if not self._since or isinstance(error, NotFoundError):
            self._keeper.begin()
            self._keeper.complete()
        self._since = ""
        self._turn_to(None, current=True)
        return _LONGEST_RETRY_SECONDS

    def _refused(self, error: ForbiddenError | NotFoundError) -> float:
        """Note that nothing is told any more; return after how many seconds to ask again."""
        self._since = ""  # what happens meanwhile may be forgotten by then
        # A server that has just begun may not know yet who may do what.
        if self._failures or isinstance(error, NotFoundError):
            self._turn_to(error, current=False)
        return self._later(_REFUSED_SECONDS)

    def _turn_to(self, refusal: AnswerError | None, *, current: bool) -> None:
        turns = current != self.current or (refusal is None) != (self.refusal is None)
        self.current, self.refusal = current, refusal
        if turns:
            self._turned()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for a turn to list."""
        self._queued = self._clock()
        async with self._listing:
            self._heard += self._clock() - self._queued
            self._queued = None
            yield

    def _begin(self) -> None:
        # No watch that the server has just taken is dead. It may have no more to say for minutes:
        # of a kind of which nothing happens, a server may know no later moment than we do.
        self._heard = self._fresh = self._taken = self._clock()
        self._turn_to(None, current=True)

    async def _list(self) -> None:
        self._keeper.begin()
        since = ""
        async for answer in self._client.pages(
            self._kind,
            self._namespace,
            labels=self._label,
            metadata_only=self._metadata_only,
            page=_PAGE,
        ):
            self._heard = self._fresh = self._clock()
            for item in answer.get("items") or ():
                self._keeper.seen(item | named(self._kind), changed=False)
            since = str(answer["metadata"]["resourceVersion"])
            del answer  # else two pages are held while the next comes
        self._keeper.complete()
        self._since = since

    async def _watch(self) -> None:
        async for event in self._client.events(
            self._kind,
            self._namespace,
            since=self._since,
            labels=self._label,
            metadata_only=self._metadata_only,
            silence_seconds=SILENCE_SECONDS,
            accepted=self._begin,
        ):
            self._heard = self._fresh = self._clock()
            self._failures = 0
            kind, body = event["type"], event["object"] | named(self._kind)
            if kind == "ERROR":
                self._since = ""
                return
            self._since = str(body["metadata"]["resourceVersion"])
            if kind == "DELETED":
                self._keeper.gone(body)
            elif kind != "BOOKMARK":
                self._keeper.seen(body, changed=kind == "MODIFIED")
