"""What a failed pass over a fleet means: when to try again, and what is worth a word."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from statusfleet.kube.errors import ForbiddenError, InvalidError, TransientError
from statusfleet.store import CorruptKeyError, CorruptStateError, NewerVersionError

LONGEST_RETRY_SECONDS: Final = 60.0
_BLOCKED_SECONDS: Final = 120.0
_QUIET: Final = 1
"""How many failures in a row are not worth a word: somebody else was quicker, a server restarts."""
_SAME_WORDS_SECONDS: Final = 30.0
"""How long the same words are not said again: each event has a fleet looked at that is blocked."""
_BLOCKING: Final = (
    CorruptKeyError,
    CorruptStateError,
    ForbiddenError,
    InvalidError,
    NewerVersionError,
)
"""What another attempt alone does not mend."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed pass.

    `blocked`: it waits for a person, not for a time. `lasting`: it is not the first one in a row.
    `is_news`: the log has not said so for a while.
    """

    wait_seconds: float
    blocked: bool
    lasting: bool
    is_news: bool


class Failures:
    """The failures of one fleet in a row."""

    def __init__(self) -> None:
        self.count = 0
        self._said, self._at = "", 0.0

    def clear(self) -> None:
        """Take that a pass went well."""
        self.count, self._said = 0, ""

    def add(self, error: Exception, now: float) -> Failure:
        """Take that a pass failed by an error, and return what that means; `now` in seconds."""
        self.count += 1
        is_news = str(error) != self._said or now - self._at >= _SAME_WORDS_SECONDS
        if is_news:
            self._said, self._at = str(error), now
        blocked = isinstance(error, _BLOCKING)
        wait = min(LONGEST_RETRY_SECONDS, 2.0 ** min(self.count - 1, 10))
        if blocked:
            wait = _BLOCKED_SECONDS
        elif isinstance(error, TransientError):
            wait = max(wait, error.retry_after)
        return Failure(jittered(wait), blocked, self.count > _QUIET, is_news)


def jittered(seconds: float) -> float:
    """Spread what many fleets do after the same time."""
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
