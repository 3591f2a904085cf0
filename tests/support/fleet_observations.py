"""Observations of fleets as a world on a laptop would make them, without any world."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from statusfleet.api.fleet import StatusFleet
from statusfleet.api.manifest import parse_fleet
from statusfleet.plan import (
    Endpoint,
    Observation,
    ObservedMember,
    Plan,
    Seat,
    desired_members,
)
from statusnode.crypto.keys import PrivateKey
from support.manifest_tables import manifest


def fleet(spec: dict[str, Any], name: str = "eth-dev") -> StatusFleet:
    """Return a valid fleet."""
    found, problems = parse_fleet(manifest(spec, name))
    assert found is not None, problems
    assert problems == []
    return found


def key_of(name: str) -> PrivateKey:
    """Return the key that a name always gets."""
    return PrivateKey(hashlib.sha256(name.encode()).digest())


def observe(wanted: StatusFleet, **secrets: str) -> Observation:
    """Return what a world sees that has made keys and ports for all members of a fleet."""
    members = {}
    for member in desired_members(wanted.spec):
        # The same port in whatever company the member is.
        port = (
            20_000
            + int.from_bytes(hashlib.sha256(member.name.encode()).digest()[:2], "big") % 9_000
        )
        listen = Endpoint("127.0.0.1", port)
        members[member.name] = ObservedMember(
            member,
            key=key_of(member.name),
            seat=Seat(
                listen,
                Endpoint("127.0.0.1", port + 10_000),
                Endpoint("127.0.0.1", port + 20_000),
                f"/data/members/{member.name}",
                "statusd 0.1.0",
            ),
            advertised=listen,
        )
    return Observation(
        members=members,
        canary_key=key_of("canary").public_key,
        secrets={("mail", key): SecretStr(value) for key, value in secrets.items()},
    )


def remember(observation: Observation, plan: Plan) -> Observation:
    """Return the observation after the plan's records were kept."""
    members = dict(observation.members)
    for member in plan.members:
        members[member.name] = replace(members[member.name], record=member.record)
    return replace(observation, members=members)
