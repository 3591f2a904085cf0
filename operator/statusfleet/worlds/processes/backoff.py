"""How long to wait before a process that ended is started again.

Pure: the caller measures time. The first restart comes almost at once, since most ends are
accidents; a process that keeps dying waits longer each time, and one that has stood for a while
has earned a fresh start.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """Bounds of the waits, in seconds."""

    first_seconds: float = 0.25
    factor: float = 2.0
    longest_seconds: float = 30.0
    steady_seconds: float = 30.0  # a run of at least this length forgets earlier failures

    def delay(self, failures: int) -> float:
        """Return the wait before the start that follows `failures` (1 or more) short runs."""
        # A bounded exponent: 2.0**1024 would overflow after days of failing.
        return min(self.first_seconds * self.factor ** min(failures - 1, 60), self.longest_seconds)


@dataclass(slots=True)
class Backoff:
    """Counts the short runs of one process."""

    policy: BackoffPolicy
    failures: int = 0

    def ended(self, ran_seconds: float) -> float:
        """Note that a run of `ran_seconds` ended; return the seconds to wait now."""
        if ran_seconds >= self.policy.steady_seconds:
            self.failures = 0
        self.failures += 1
        return self.policy.delay(self.failures)
