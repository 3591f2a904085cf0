"""When a member that the spec dropped may stop: once readers have forgotten it. No I/O.

A record that has left the tree is still used by whoever resolved the root just before, for as long
as the root's TTL; only then does the member stop. One that was never in the tree stops at once.
What was in the tree before this process began is not known: whoever is dropped by then waits.
"""

from __future__ import annotations

from collections.abc import Iterable


class Departures:
    """The members that are on their way out."""

    def __init__(self) -> None:
        self._may_stop: dict[str, float] = {}
        self._listed: frozenset[str] | None = None

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
            if name not in listed and name not in self._may_stop:
                known = self._listed is None or name in self._listed
                wait = root_ttl_seconds if known else 0.0
                self._may_stop[name] = now + wait
        # One that came back, or is listed again, starts anew when it is dropped again.
        self._may_stop = {
            name: when
            for name, when in self._may_stop.items()
            if name in removed and name not in listed
        }
        self._listed = listed
        return {name: self._may_stop.get(name) for name in removed}
