"""One kind of object, followed for ever: first everything that is there, then what happens to it.

Where the connection breaks, it goes on from the last word; where the server has forgotten from when
on we want to know, everything is listed again. A kind that not every cluster has is asked for now
and then: while the server does not know it, or does not let us see it, there is nothing of it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, NoReturn, Protocol

from statusfleet.kube.client import KubeClient
from statusfleet.kube.errors import AnswerError, ConflictError, ForbiddenError, NotFoundError
from statusfleet.kube.kinds import JsonDict, Kind
from statusfleet.kube.reading import SILENCE_SECONDS
from statusfleet.kube.requests import named

_PAGE: Final = 100
_FIRST_RETRY_SECONDS: Final = 1.0
_LONGEST_RETRY_SECONDS: Final = 30.0
_SHORT_SECONDS: Final = 5.0
"""A server that ends a watch sooner than that has a reason not to be asked again at once."""
_log = logging.getLogger(__name__)


class Keeper(Protocol):
    """Who keeps what is told of one kind."""

    def begin(self) -> None:
        """From here on everything is told that is there."""
        ...

    def seen(self, body: JsonDict) -> None:
        """An object is there, or has changed."""
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
        optional: bool = False,
    ) -> None:
        """Take what to follow: objects that bear `label`, "" for all.

        `listing` bounds how many list at a time, since a page is large. `clock` gives seconds. An
        `optional` kind may be none of the cluster's, or come and go, and nobody waits for a right
        to it.
        """
        self._client = client
        self._kind = kind
        self._namespace = namespace
        self._keeper = keeper
        self._label = label
        self._metadata_only = metadata_only
        self._listing = listing
        self._clock = clock
        self._optional = optional
        self._refused = False  # an optional kind, and that was said
        self._since = ""
        self._heard = clock()
        self._queued: float | None = None  # since when it waits for its turn to list
        self._failures = 0  # since the server last said something

    @property
    def silent_seconds(self) -> float:
        """For how long the server has said nothing; to wait for a turn to ask it is no silence."""
        now = self._clock() if self._queued is None else self._queued
        return now - self._heard

    async def run(self) -> NoReturn:
        """Follow until cancelled, whatever the server says."""
        while True:
            try:
                if not self._since:
                    async with self._turn():
                        await self._list()
                began = self._clock()
                await self._watch()
                wait = 0.0 if self._clock() - began > _SHORT_SECONDS else _FIRST_RETRY_SECONDS
            except ConflictError:
                self._since, wait = "", _FIRST_RETRY_SECONDS
            except AnswerError as error:
                if self._optional and isinstance(error, NotFoundError | ForbiddenError):
                    wait = self._do_without(error)
                else:
                    wait = self._fail(error)
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))  # noqa: S311 - no secret

    def _do_without(self, error: AnswerError) -> float:
        """Tell that there is nothing of the kind; return after how many seconds to ask again.

        What may be listed and not watched is what it was, until it is listed again.
        """
        if isinstance(error, ForbiddenError) and not self._refused:
            _log.warning("%s", error)
            self._refused = True
        self._hear()
        if not self._since or isinstance(error, NotFoundError):
            self._keeper.begin()
            self._keeper.complete()
        self._since = ""
        return _LONGEST_RETRY_SECONDS

    def _fail(self, error: AnswerError) -> float:
        """Note a failure; return after how many seconds to try again."""
        wait = _FIRST_RETRY_SECONDS * 2.0 ** min(self._failures, 10)
        self._failures += 1
        # Once is nothing: a server restarts, a connection was idle for too long.
        _log.log(logging.WARNING if self._failures > 1 else logging.DEBUG, "%s", error)
        return min(_LONGEST_RETRY_SECONDS, wait)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for a turn to list."""
        self._queued = self._clock()
        async with self._listing:
            self._heard += self._clock() - self._queued
            self._queued = None
            yield

    def _hear(self) -> None:
        self._heard, self._failures = self._clock(), 0

    def _begin(self) -> None:
        # No watch that the server has just taken is dead. It may have no more to say for minutes:
        # of a kind of which nothing happens, a server may know no later moment than we do.
        self._heard = self._clock()

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
            self._hear()
            for item in answer.get("items") or ():
                self._keeper.seen(item | named(self._kind))
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
            self._hear()
            kind, body = event["type"], event["object"] | named(self._kind)
            if kind == "ERROR":
                self._since = ""
                return
            self._since = str(body["metadata"]["resourceVersion"])
            if kind == "DELETED":
                self._keeper.gone(body)
            elif kind != "BOOKMARK":
                self._keeper.seen(body)
