"""Which members the spec wants, before anything about them is known.

A world asks this first, makes the keys and seats that are missing, and tells of them in its
`Observation`.
"""

from __future__ import annotations

from statusfleet.api.spec import FleetSpec
from statusfleet.plan.types import MemberId


def desired_members(spec: FleetSpec) -> tuple[MemberId, ...]:
    """Return the members that should run: by role in a fixed order, then by ordinal."""
    return tuple(
        MemberId(role.role, ordinal) for role in spec.roles.present() for ordinal in role.ordinals()
    )
