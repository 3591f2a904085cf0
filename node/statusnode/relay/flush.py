"""How long what is to be sent waits for company: a policy without a clock.

A frame costs about the same whether it holds one envelope or twenty, so frames are what must not
grow with traffic. While few are written, an envelope waits `QUIET` and no longer. Each frame then
uses up 1/`FRAMES_PER_SECOND` of time, and the next flush waits until the time used is over; never
longer than `LONGEST`, which is what every peer of the reference is used to.
"""

from __future__ import annotations

from typing import Final

QUIET: Final = 0.002
LONGEST: Final = 0.3
FRAMES_PER_SECOND: Final = 600.0
_CREDIT: Final = 0.05  # seconds of silence that pay for a burst; more would not bundle a flood


class FlushPolicy:
    """Decides when the next flush is due. All times are seconds of one monotonic clock."""

    __slots__ = ("_paid_until",)

    def __init__(self) -> None:
        self._paid_until = 0.0

    def delay(self, now: float) -> float:
        """Return how long to wait at `now`, when something has just become pending."""
        return min(max(self._paid_until - now, QUIET), LONGEST)

    def flushed(self, frames: int, now: float) -> None:
        """Note that a flush at `now` wrote `frames` frames."""
        start = max(self._paid_until, now - _CREDIT)
        self._paid_until = min(start + frames / FRAMES_PER_SECOND, now + LONGEST)
