"""Whom to dial, and where: every address that the record of a ready member names.

By its first one, of IPv4 where there are two, nodes such as status-go's reach a member: it alone
decides on who is published. The other is dialed under a name of its own, so that what is found
there is told, but from here only where this machine has IPv6: else a dial would tell nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from statusfleet.plan import Observation, ObservedMember, Plan
from statusfleet.publishers.authorities import has_route
from statusfleet.reconcile.reachable import DialBack, Target
from statusnode.records.enr import Record


def have_dialed(found: DialBack, plan: Plan, observation: Observation) -> None:
    """Have the addresses of the members that are ready be dialed, and no others."""
    seen = observation.members
    targets = {
        name: target
        for member in plan.members
        if member.record is not None and seen[member.name].ready
        for name, target in _targets(found, member.name, member.record, seen[member.name])
    }
    found.want(targets, resting=[*seen, *map(_over_ipv6, seen)])


def _targets(
    found: DialBack, name: str, record: Record, member: ObservedMember
) -> Iterator[tuple[str, Target]]:
    for called, enode in zip((name, _over_ipv6(name)), record.enodes(), strict=False):
        target = found.target(enode, member)
        if called == name or target.vantage is not found.here or has_route(enode.host):
            yield called, target


def _over_ipv6(name: str) -> str:
    return f"{name} over IPv6"
