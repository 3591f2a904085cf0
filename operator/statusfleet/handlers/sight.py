"""Whether all can be seen that fleets of one namespace are judged by.

A server may refuse to tell of something: the namespace was deleted, and our rights went with it;
somebody took a Role away; the definition of StatusFleet is not installed. What is known then is
of yesterday, and nobody goes by it. The other namespaces are none the worse for that.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Final, Protocol

from statusfleet.kube.errors import AnswerError, NotFoundError

_log: Final = logging.getLogger(__name__)


class Followed(Protocol):
    """One kind of object that is followed (`following.Following`)."""

    current: bool
    refusal: AnswerError | None

    @property
    def silent_seconds(self) -> float:
        """For how long the server has said nothing of it."""
        ...


class Sight:
    """All that is followed for one namespace, "" for all of them; tells in the log of its end."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.lost = asyncio.Event()
        """Set for as long as something cannot be seen: before the first look, too."""
        self.lost.set()
        self._whole = asyncio.Event()
        self._followed: list[Followed] = []
        self._told = ""

    def add(self, *followed: Followed) -> None:
        """Have something followed besides; before any of it runs."""
        self._followed += followed

    @property
    def silent_seconds(self) -> float:
        """For how long nothing was said of what is longest unheard of."""
        return max((one.silent_seconds for one in self._followed), default=0.0)

    async def whole(self) -> None:
        """Wait until everything is seen."""
        await self._whole.wait()

    def turn(self) -> None:
        """Look anew: something that is followed has turned."""
        whole = all(one.current for one in self._followed)
        if whole:
            self.lost.clear()
            self._whole.set()
        else:
            self._whole.clear()
            self.lost.set()
        refusals = [one.refusal for one in self._followed if one.refusal is not None]
        if refusals and not self._told:
            self._told = self._words(refusals[0])
            _log.warning("%s are not looked after: %s", self.fleets, self._told)
        elif whole and self._told:
            self._told = ""
            _log.info("%s are looked after again", self.fleets)

    @property
    def fleets(self) -> str:
        """How the log calls those that are judged by it."""
        return f"fleets in namespace {self.namespace}" if self.namespace else "fleets"

    def _words(self, refusal: AnswerError) -> str:
        if isinstance(refusal, NotFoundError):
            return "the cluster does not know StatusFleet: install its definition"
        if refusal.status != HTTPStatus.FORBIDDEN:
            return str(refusal)
        if not self.namespace:
            return f"{refusal}: give the operator that right"
        return f"{refusal}: give the operator that right, or look after this namespace no more"
