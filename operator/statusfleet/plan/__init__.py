"""What should exist, computed without I/O: `make_plan(fleet, observation) -> Plan`."""

from statusfleet.plan.make import make_plan
from statusfleet.plan.members import desired_members
from statusfleet.plan.types import (
    CanaryVerdict,
    DesiredTree,
    Endpoint,
    Member,
    MemberId,
    Observation,
    ObservedMember,
    Plan,
    Seat,
    Waiting,
)

__all__ = [
    "CanaryVerdict",
    "DesiredTree",
    "Endpoint",
    "Member",
    "MemberId",
    "Observation",
    "ObservedMember",
    "Plan",
    "Seat",
    "Waiting",
    "desired_members",
    "make_plan",
]
