"""What the canary is asked to do, from what is planned and seen. Pure.

It goes through the members that are ready: one that is not is told of by the condition Ready, and a
probe that fails on it would say nothing new. It first runs when every ready member is published, or
was dialed in vain for a while, so that a fleet that is just starting is not called broken.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue, SecretStr

from statusfleet.api.fleet import StatusFleet
from statusfleet.plan import Member, Observation, Plan
from statusfleet.worlds.protocol import CanaryWish
from statusnode.records.enode import Enode


def canary_wish(fleet: StatusFleet, plan: Plan, observation: Observation) -> CanaryWish | None:
    """Return the canary's task; None while no ready member has an address to be asked at."""
    ready = [m for m in plan.members if m.enode is not None and _is_ready(m, observation)]
    if not ready:
        return None
    return CanaryWish(
        relayers=_targets(ready, "relayer"),
        mailservers=_targets(ready, "mailserver"),
        interval_seconds=fleet.spec.canary.interval.seconds,
        timeout_seconds=fleet.spec.canary.timeout.seconds,
        min_pow=max((_min_pow(member) for member in ready), default=0.0),
        mail_password=SecretStr(next(filter(None, map(_mail_password, ready)), "")),
    )


def may_start(plan: Plan, observation: Observation, settled: frozenset[str]) -> bool:
    """Tell whether the first run may begin: nobody who is ready is on the way into a tree.

    `settled` are the members whose records are published, and those that cannot be reached.
    """
    if plan.tree is None:
        return True
    ready = {m.name for m in plan.members if m.record and _is_ready(m, observation)}
    return ready <= settled


def _is_ready(member: Member, observation: Observation) -> bool:
    observed = observation.members.get(member.name)
    return observed is not None and observed.ready


def _targets(members: list[Member], role: str) -> tuple[tuple[str, Enode], ...]:
    return tuple(
        (member.name, member.enode)
        for member in members
        if member.id.role == role and member.enode is not None
    )


def _min_pow(member: Member) -> float:
    value = _waku(member.config).get("MinimumPoW")
    return float(value) if isinstance(value, int | float) else 0.0


def _mail_password(member: Member) -> str:
    value = _waku(member.secret.value).get("MailServerPassword")
    return value if isinstance(value, str) else ""


def _waku(config: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    section = config.get("WakuConfig")
    return section if isinstance(section, dict) else {}
