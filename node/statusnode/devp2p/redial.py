"""When a static node is dialed again: pure policies of a session's length.

A foreign node is left alone for as long as its throttle of inbound attempts lasts. A peer of the
same fleet is tried at once, since a member that restarts should be back in a second; who keeps
failing is tried ever less.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final, Protocol

_EAGER_SECONDS: Final = 0.2
_LASTING_SECONDS: Final = 10.0
_JITTER: Final = 0.2


class Redial(Protocol):
    """Decides how long to wait before the next dial of one node."""

    def after(self, session_seconds: float | None) -> float:
        """Return seconds to wait, after a session of that length or, if None, a failed dial."""
        ...


class SteadyRedial:
    """No dial sooner than a fixed time after the one before."""

    def __init__(self, interval_seconds: float) -> None:
        self._interval = interval_seconds

    def after(self, session_seconds: float | None) -> float:
        """Return what is left of the interval."""
        return max(0.0, self._interval - (session_seconds or 0.0))


class EagerRedial:
    """From 0.2 s, doubling to the limit; from 0.2 s again after a session that lasted.

    A little chance on top keeps two nodes from dialing each other in step for ever.
    """

    def __init__(
        self, limit_seconds: float, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._limit = limit_seconds
        self._uniform = uniform
        self._next = min(_EAGER_SECONDS, limit_seconds)

    def after(self, session_seconds: float | None) -> float:
        """Return the next step."""
        if session_seconds is not None and session_seconds >= _LASTING_SECONDS:
            self._next = min(_EAGER_SECONDS, self._limit)
        step = self._next
        self._next = min(2 * step, self._limit)
        return step * self._uniform(1 - _JITTER, 1 + _JITTER)
