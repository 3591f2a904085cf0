"""Who of a fleet is not getting any further, although it is being started. No I/O.

A member that says why it cannot work may still get over it: a registry comes back, a volume is
made. After a while that is no progress any more. One that a rollout has started anew, and that was
at work until then, is not waited for: the rollout ends there, be it the last one or the only one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from statusfleet.plan import Observation, Plan

PATIENCE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Stalled:
    """Who is stalled, by name with what it says: after a rollout, and of the others.

    `next_look` (unix seconds) is when somebody's time is up.
    """

    renewed: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    next_look: float | None = None


class Stalling:
    """Knows whom a rollout has started anew, and who of them has not been ready since."""

    def __init__(self, renewed: Iterable[str] = ()) -> None:
        """Go on with what was remembered of a process before this one."""
        self._renewed = frozenset(renewed)

    @property
    def renewed(self) -> tuple[str, ...]:
        """Who was started anew and not ready since, to be remembered."""
        return tuple(sorted(self._renewed))

    def renew(self, names: Iterable[str]) -> None:
        """Take whom a rollout is about to start anew."""
        self._renewed |= frozenset(names)

    def update(self, plan: Plan, observation: Observation, now: float) -> Stalled:
        """Take what is seen now; say who is stalled."""
        self._renewed -= {name for name in self._renewed if _is_over(name, plan, observation)}
        renewed: dict[str, str] = {}
        others: dict[str, str] = {}
        moments: list[float] = []
        for name, text in _complaints(plan, observation).items():
            since = observation.members[name].unready_since
            until = (since if since is not None else now) + PATIENCE_SECONDS
            if name in self._renewed:
                if not _is_outdated(name, plan, observation):
                    renewed[name] = text
            elif until <= now:
                others[name] = text
            else:
                moments.append(until)
        return Stalled(renewed, others, min(moments, default=None))


def _is_over(name: str, plan: Plan, observation: Observation) -> bool:
    """Tell whether a member works as it was started anew, or is wanted no more."""
    member, seen = plan.member(name), observation.members.get(name)
    if seen is None or name in plan.removed:
        return True
    return member is not None and seen.ready and seen.restart_hash == member.restart_hash


def _is_outdated(name: str, plan: Plan, observation: Observation) -> bool:
    """Tell whether a member is to be started anew once more, whatever it says now."""
    member, seen = plan.member(name), observation.members[name]
    return member is not None and seen.restart_hash not in (None, member.restart_hash)


def _complaints(plan: Plan, observation: Observation) -> dict[str, str]:
    """Return what the wanted members that are not ready say of it, if they do."""
    lacking = {w.id.name: w.message for w in plan.waiting if w.lacks != "address"}
    wanted = [*lacking, *(member.name for member in plan.members)]
    found: dict[str, str] = {}
    for name in wanted:
        seen = observation.members.get(name)
        if seen is None or seen.ready:
            continue
        if text := seen.message or lacking.get(name, ""):
            found[name] = text
    return found
