"""When a member that the spec dropped may stop: once readers have forgotten it. No I/O.

A record that has left the tree is still used by whoever resolved the root just before, for as long
as the root's TTL; only then does the member stop. One that was never in the tree stops at once.
What was in the tree before this process began is not known: whoever is dropped by then waits. Who
waited already goes on where it was (`leaving`), also when the clock was put back meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from statusfleet.store import Leave


class Departures:
    """The members that are on their way out."""

    def __init__(self, leaving: Mapping[str, Leave] | None = None) -> None:
        """Go on with what was remembered of a process before this one."""
        self._leaving = dict(leaving or {})
        self._listed: frozenset[str] | None = None

    @property
    def leaving(self) -> dict[str, Leave]:
        """Who waits, and is to be remembered: whoever does not wait at all stops at once."""
        return {name: one for name, one in self._leaving.items() if one.until > one.since}

    def update(
        self,
        removed: Iterable[str],
        listed: frozenset[str],
        *,
        now: float,
        root_ttl_seconds: float,
    ) -> dict[str, float | None]:
        """Return when each of `removed` may stop (unix seconds); None while it is still listed.

        `listed` are the names whose records are in the tree now, those of dropped members too.
        """
        removed = tuple(removed)
        for name in removed:
            if name not in listed and name not in self._leaving:
                known = self._listed is None or name in self._listed
                wait = root_ttl_seconds if known else 0.0
                self._leaving[name] = Leave(now, now + wait)
        # One that came back, or is listed again, starts anew when it is dropped again.
        self._leaving = {
            name: _by_clock(one, now)
            for name, one in self._leaving.items()
            if name in removed and name not in listed
        }
        self._listed = listed
        return {
            name: self._leaving[name].until if name in self._leaving else None for name in removed
        }


def _by_clock(one: Leave, now: float) -> Leave:
    """Return a wait by the present clock: one that has not begun yet begins now."""
    return one if one.since <= now else Leave(now, now + (one.until - one.since))
