"""The roles of a fleet: `roles.bootstrap`, `.relayer`, `.rendezvous`, `.mailserver`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from statusfleet.api.duration import Duration
from statusfleet.api.exposure import Address, Expose
from statusfleet.api.model import Maybe, Model, SecretKeyRef, SecretSource, entries
from statusfleet.api.template import FreeObject, Resources, Template
from statusfleet.api.text import ObjectName, Quantity

RoleName = Literal["bootstrap", "relayer", "rendezvous", "mailserver"]
MAX_REPLICAS = 500

Replicas = Annotated[int, Field(ge=0, le=MAX_REPLICAS)]
Ordinal = Annotated[int, Field(ge=0, le=MAX_REPLICAS - 1)]
Retention = Literal["Retain", "Delete"]


class RetentionPolicy(Model):
    """What becomes of a volume that is no longer used."""

    when_scaled: Retention = "Retain"
    """When its member is removed."""
    when_deleted: Retention = "Retain"
    """When the fleet is deleted."""


class Storage(Model):
    """The volume of a member."""

    size: Quantity = "1Gi"
    """Size of the volume; it may grow, never shrink."""
    storage_class_name: Annotated[
        ObjectName | None, Field(json_schema_extra={"nullable": True})
    ] = None
    """Storage class; absent means the cluster's default."""
    retention_policy: RetentionPolicy = RetentionPolicy()
    """What becomes of the volume when its member or the fleet goes."""


class Protocols(Model):
    """Which gossip protocols the members of a role speak."""

    waku: bool = True
    """Waku v1 (dialects waku/0 and waku/1)."""
    whisper: bool = False
    """Whisper (shh/6), for clients of 2019 and older."""
    bridge: bool = False
    """Carry envelopes from Whisper to Waku and back; needs both."""


class MemberOverride(Model):
    """What is different for one member of a role."""

    ordinal: Ordinal
    """Which member: 0 is the first."""
    node_key_secret: Maybe[SecretKeyRef] = None
    """Node key to adopt, as 64 hex digits; read only. Absent means a key made once and kept."""
    address: Maybe[Address] = None
    """Address that the member advertises."""
    disabled: bool = False
    """Leave this member out, and keep its identity and its volume."""


Members = Annotated[
    tuple[MemberOverride, ...],
    entries(100, key="ordinal"),
]


class RoleSpec(Model):
    """What all roles have in common."""

    role: ClassVar[RoleName]

    replicas: Replicas = 1
    """How many members."""
    expose: Expose = Expose()
    """How the world reaches the members."""
    storage: Maybe[Storage] = None
    """Volume of a member; absent means none that lasts."""
    resources: Resources = Resources()
    """Requests and limits of the members' containers."""
    config: FreeObject = Field(default_factory=dict)
    """Merged into the members' statusd configuration, except what the fleet itself decides: node
    key, addresses, folders, RPC and passwords."""
    template: Template = Template()
    """What is added to the members' pods."""
    members: Members = ()
    """Exceptions by ordinal: own key, own address, disabled."""

    def override(self, ordinal: int) -> MemberOverride:
        """Return the exceptions of one member; without any, those that change nothing."""
        for member in self.members:
            if member.ordinal == ordinal:
                return member
        return MemberOverride(ordinal=ordinal)

    def ordinals(self) -> tuple[int, ...]:
        """Return the ordinals of the members that should run."""
        return tuple(n for n in range(self.replicas) if not self.override(n).disabled)


class NodeRoleSpec(RoleSpec):
    """What the roles that relay envelopes have in common."""

    max_peers: Annotated[int, Field(ge=0, le=100_000)] = 100
    """How many peers a member takes; peers of the fleet itself come on top."""
    protocols: Protocols = Protocols()
    """Which protocols the members speak."""
    min_pow: Annotated[float, Field(ge=0, le=1_000_000)] = 0.000002
    """Proof of work that an envelope must show to be relayed."""


class Bootstrap(RoleSpec):
    """Bootstrap nodes: discovery only, no envelopes."""

    role: ClassVar[RoleName] = "bootstrap"


class Rendezvous(RoleSpec):
    """Rendezvous servers. They do not speak RLPx, so they are never in the tree."""

    role: ClassVar[RoleName] = "rendezvous"


class Relayer(NodeRoleSpec):
    """Relayers: they carry envelopes and keep none."""

    role: ClassVar[RoleName] = "relayer"


class Database(Model):
    """Where mailservers keep their archive."""

    postgresql: SecretSource
    """URI of a PostgreSQL database, shared by all mailservers that name it."""


class Mailserver(NodeRoleSpec):
    """Mailservers: they relay, archive every envelope, and deliver the past on request.

    A new mailserver starts with an empty archive.
    """

    role: ClassVar[RoleName] = "mailserver"

    storage: Maybe[Storage] = Storage()
    """Volume of a member's archive."""
    max_peers: Annotated[int, Field(ge=0, le=100_000)] = 5000
    """How many peers a member takes; peers of the fleet itself come on top."""
    retention_days: Annotated[int, Field(ge=0, le=36_500)] = 30
    """Days after which an archived envelope is removed; 0 keeps all."""
    password: Maybe[SecretSource] = None
    """Password of mail requests; absent means the protocol's public one, status-offline-inbox."""
    rate_limit: Duration = Duration(10**9)
    """Shortest time between two requests of one peer, counted in whole seconds; 0s for none."""
    database: Maybe[Database] = None
    """Shared database; absent means SQLite on the member's volume."""


class Roles(Model):
    """The roles of the fleet; at least one has a member."""

    bootstrap: Maybe[Bootstrap] = None
    """Bootstrap nodes: discovery only, no envelopes."""
    relayer: Maybe[Relayer] = None
    """Relayers: they carry envelopes and keep none."""
    rendezvous: Maybe[Rendezvous] = None
    """Rendezvous servers. They do not speak RLPx, so they are never in the tree."""
    mailserver: Maybe[Mailserver] = None
    """Mailservers: they relay, archive every envelope, and deliver the past on request. A new one
    starts with an empty archive."""

    def present(self) -> tuple[RoleSpec, ...]:
        """Return the roles that the manifest names, in a fixed order."""
        roles = (self.bootstrap, self.relayer, self.rendezvous, self.mailserver)
        return tuple(role for role in roles if role is not None)
