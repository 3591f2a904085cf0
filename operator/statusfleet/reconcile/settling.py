"""Whether a fleet that was just started is past its first moments. No I/O.

All members of a laptop's fleet start together and are ready within the same second or two. A tree
for each of them would be a number for each of them, and on a second start the tree of the first,
which is served at once, would lose all records and regain them. So nothing is changed until every
wanted member has been ready once, has failed, or has had its time.
"""

from __future__ import annotations

from typing import Final

from statusfleet.plan import Observation, Plan

ALLOWANCE_SECONDS: Final = 15.0


class Settling:
    """Knows since when, and whether still, a fleet is starting."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._settled = False

    def deadline(
        self, plan: Plan, observation: Observation, now: float, *, proving: bool = False
    ) -> float | None:
        """Return until when to hold the tree (unix seconds), None once the fleet has settled.

        `proving`: the address of a ready member is still being tried.
        """
        if self._began is None:
            self._began = now
        until = self._began + ALLOWANCE_SECONDS
        if not self._settled and (now >= until or not (proving or _starting(plan, observation))):
            self._settled = True
        return None if self._settled else until


def _starting(plan: Plan, observation: Observation) -> bool:
    """Tell whether a member may still become ready without anything having to be mended."""
    for member in plan.members:
        observed = observation.members.get(member.name)
        if observed is None or observed.ready:
            continue
        # A member that does not run and says why has failed; the others need not wait for it.
        if observed.running or not observed.message:
            return True
    return False
