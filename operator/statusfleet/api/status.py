"""What is: `status` of a StatusFleet, and the words of its conditions."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from statusfleet.api.model import Model, entries
from statusfleet.api.roles import RoleName

MAX_MEMBERS = 200
MAX_SINKS = 16

Text = Annotated[str, Field(max_length=2048)]
Name = Annotated[str, Field(max_length=320)]
Time = Annotated[str, Field(max_length=32, json_schema_extra={"format": "date-time"})]
Count = Annotated[int, Field(ge=0)]
Phase = Literal["Pending", "Progressing", "Ready", "Degraded", "Paused", "Deleting"]
Truth = Literal["True", "False", "Unknown"]


class ConditionType(StrEnum):
    """What the conditions of a fleet speak of."""

    READY = "Ready"
    ADDRESSES_READY = "AddressesReady"
    REACHABLE = "Reachable"
    TREE_PUBLISHED = "TreePublished"
    TREE_PROPAGATED = "TreePropagated"
    CANARY_PASSING = "CanaryPassing"
    PROGRESSING = "Progressing"
    UPDATE_PENDING = "UpdatePending"
    PAUSED = "Paused"


class Condition(Model):
    """One condition, as Kubernetes writes them."""

    type: Annotated[str, Field(max_length=64)]
    """What it speaks of."""
    status: Truth
    """Whether it holds."""
    reason: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9]*$")]
    """Why, in one word of the documented vocabulary."""
    message: Text = ""
    """Why, in a sentence with a remedy."""
    observed_generation: Count = 0
    """Generation of the spec that it speaks of."""
    last_transition_time: Time
    """When `status` last changed."""


class RoleStatus(Model):
    """Counts of one role."""

    desired: Count = 0
    """Members that the spec asks for."""
    ready: Count = 0
    """Members that are ready."""
    published: Count = 0
    """Members whose record is in the tree."""


class RolesStatus(Model):
    """Counts by role."""

    bootstrap: RoleStatus | None = None
    """Bootstrap nodes."""
    relayer: RoleStatus | None = None
    """Relayers."""
    rendezvous: RoleStatus | None = None
    """Rendezvous servers."""
    mailserver: RoleStatus | None = None
    """Mailservers."""


class MemberStatus(Model):
    """One member."""

    name: Name
    """Role and ordinal, such as relayer-0."""
    role: RoleName
    """Role."""
    ready: bool = False
    """Whether it listens, its archive is open, and a handshake with itself works."""
    enode: Text | None = None
    """Enode URL that it advertises."""
    enr: Text | None = None
    """Record that the operator signed for it."""
    seq: Count = 0
    """Sequence number of the record."""
    address: Name | None = None
    """Address and port that it advertises."""
    address_source: Name | None = None
    """Where the address comes from."""
    published: bool = False
    """Whether its record is in the tree."""
    version: Name | None = None
    """Version that it runs."""
    message: Text | None = None
    """What is not as it should be."""


class SinkStatus(Model):
    """One place where the tree is published."""

    name: Name
    """Kind of the sink, with its place where there can be several."""
    state: Literal["Pending", "Publishing", "Published", "Failed", "NotApplicable"]
    """How far the sink is."""
    seq: Count = 0
    """Sequence number that the sink holds."""
    message: Text | None = None
    """Why it is not published, with a remedy."""


class TreeStatus(Model):
    """The tree as it was last signed and published."""

    url: Text
    """URL of the tree, enrtree://KEY@domain."""
    seq: Count = 0
    """Sequence number of the root."""
    records: Count = 0
    """Number of nodes in the tree."""
    published_at: Time | None = None
    """When the root was last moved."""
    propagated_at: Time | None = None
    """When every authoritative server was first seen with it."""
    sinks: Annotated[tuple[SinkStatus, ...], entries(MAX_SINKS)] = ()
    """Each sink's own status; last those that the spec names no more and that still show it."""


class FleetStatus(Model):
    """What the operator sees."""

    observed_generation: Count = 0
    """Generation of the spec that this status speaks of."""
    phase: Phase | None = None
    """The conditions in one word, for people."""
    conditions: Annotated[
        tuple[Condition, ...],
        entries(16, key="type"),
    ] = ()
    """Conditions."""
    ready: Annotated[str, Field(max_length=16)] | None = None
    """Ready and desired members, such as 3/5."""
    selector: Text | None = None
    """Label selector of the relayers' pods, for the scale subresource."""
    roles: RolesStatus | None = None
    """Counts by role."""
    members: Annotated[
        tuple[MemberStatus, ...],
        entries(MAX_MEMBERS, key="name"),
    ] = ()
    """The first 200 members; `kubectl statusfleet nodes` lists all."""
    tree: TreeStatus | None = None
    """The tree."""
    image: Text | None = None
    """Image of the members, pinned when the spec last changed."""
