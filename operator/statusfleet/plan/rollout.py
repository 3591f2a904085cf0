"""How a change that needs new processes goes through a fleet: whom to start anew now. Pure.

A member is outdated while its process was started with other settings than the plan has. Roles
follow each other in the order of the spec; within one, no more members than `maxUnavailable` are
out of work at a time; and the next goes only when the ones before have been ready for `soak`. So a
change that breaks a member stops there, and a newer change starts the broken one anew at once,
since nothing is lost with it.

Nothing is remembered: who is outdated, who is ready, and since when, is seen each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from statusfleet.api.roles import RoleName
from statusfleet.api.spec import Rollout
from statusfleet.plan.types import Member, Observation, ObservedMember, Plan

UNAPPLIED: Final = "what it should run by could not be applied"


@dataclass(frozen=True, slots=True)
class RolloutStep:
    """What a rollout does now.

    `held` says by name what it waits for besides time; `next_look` (unix seconds) is when the
    soaking of some member ends.
    """

    restart: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    held: Mapping[str, str] | None = None
    soaking: tuple[str, ...] = ()
    next_look: float | None = None


@dataclass(frozen=True, slots=True)
class _Subject:
    """A member of the plan and what is seen of it."""

    member: Member
    seen: ObservedMember

    @property
    def is_outdated(self) -> bool:
        return self.seen.restart_hash not in (None, self.member.restart_hash)

    def soaks_until(self, soak: float) -> float | None:
        since = self.seen.ready_since
        return None if since is None else since + soak


def rollout_step(spec: Rollout, plan: Plan, observation: Observation, now: float) -> RolloutStep:
    """Return what to do now for `plan`; `now` is in unix seconds."""
    subjects = [
        _Subject(member, observation.members[member.name])
        for member in plan.members
        if member.name in observation.members
    ]
    outdated = tuple(s.member.name for s in subjects if s.is_outdated)
    if not outdated:
        return RolloutStep()
    restart: list[str] = []
    held: dict[str, str] = {}
    soaking: list[str] = []
    moments: list[float] = []
    for role in _order(spec, plan):
        of_role = [s for s in subjects if s.member.id.role == role]
        for subject in of_role:
            if subject.is_outdated:
                if subject.member.name in observation.unapplied:
                    held[subject.member.name] = UNAPPLIED
                continue
            if not subject.seen.ready:
                held[subject.member.name] = subject.seen.message or "is not ready yet"
            elif (until := subject.soaks_until(spec.soak.seconds)) is not None and until > now:
                soaking.append(subject.member.name)
                moments.append(until)
        waiting = [s for s in of_role if s.is_outdated and s.member.name not in held]
        # One that does not work loses nothing.
        broken = [s.member.name for s in waiting if not s.seen.ready]
        restart += broken
        room = spec.max_unavailable - len(broken) - len(held) - len(soaking)
        working = [s.member.name for s in waiting if s.seen.ready]
        restart += working[: max(0, room)]
        if waiting or held or soaking:
            break  # The next role has to wait for this one.
    return RolloutStep(
        restart=tuple(restart),
        outdated=outdated,
        held=held,
        soaking=tuple(soaking),
        next_look=min(moments, default=None),
    )


def _order(spec: Rollout, plan: Plan) -> list[RoleName]:
    """The roles of a plan: those that the spec names in its order, then the others."""
    present = list(dict.fromkeys(member.id.role for member in plan.members))
    named = [role for role in spec.order if role in present]
    return [*named, *(role for role in present if role not in named)]
