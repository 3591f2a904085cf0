"""The values of the seam between a world, the plan, and what carries it out.

A world tells what it sees as an `Observation`; `make_plan` answers with a `Plan`: everything that
should exist. Both are neutral of the world: a port is a number and a folder is a text, whoever
made them. Nothing here does I/O. Values that hold a secret never show it in their text forms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue, SecretStr

from statusfleet.api.roles import RoleName
from statusnode.crypto.keys import PrivateKey, PublicKey
from statusnode.records.enode import Enode
from statusnode.records.enr import Record

JsonObject = Mapping[str, JsonValue]
"""A JSON object that nobody changes."""


def merge(base: JsonObject, over: JsonObject) -> dict[str, JsonValue]:
    """Return `base` with `over` merged in as Go's JSON decoder does: objects key by key, all else
    replaced. Neither is changed.
    """
    result = dict(base)
    for key, value in over.items():
        present = result.get(key)
        if isinstance(present, dict) and isinstance(value, dict):
            result[key] = merge(present, value)
        else:
            result[key] = value
    return result


@dataclass(frozen=True, slots=True, order=True)
class MemberId:
    """Which member of the fleet: the first relayer is `relayer-0`."""

    role: RoleName
    ordinal: int

    @property
    def name(self) -> str:
        """The member's name within its fleet."""
        return f"{self.role}-{self.ordinal}"

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host (IP address or DNS name) and its ports; a port of 0 means that there is none."""

    host: str
    tcp: int
    udp: int = 0
    host6: str = ""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.tcp}" if ":" in self.host else f"{self.host}:{self.tcp}"


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a world has put a member: what its process binds and writes to.

    `listen` is bound for RLPx, `rpc` and `metrics` for what their names say; a host of "" means
    every interface, an `rpc` port of 0 none. `data_dir` is the member's own folder, as its process
    sees it. `program` is what runs there (an image, a version), pinned by the world: when it
    changes, the member is started anew. `key_file` is where the process finds its key, "" where
    the key has to stand in its settings.
    """

    listen: Endpoint
    rpc: Endpoint
    metrics: Endpoint
    data_dir: str
    program: str = ""
    key_file: str = ""


@dataclass(frozen=True, slots=True)
class ObservedMember:
    """What a world knows of one member.

    `key` and `seat` are made by the world before the first plan. `dial` is the address at which
    the fleet's own members reach it, `advertised` the one for everybody else; on a laptop both are
    where it listens. Times are unix seconds.
    """

    id: MemberId
    key: PrivateKey | None = field(default=None, compare=False)
    seat: Seat | None = None
    dial: Endpoint | None = None
    advertised: Endpoint | None = None
    address_source: str = ""
    node: str = ""
    """The machine that it runs on, where the world has several."""
    record: Record | None = None
    """The record that was last signed for the member, whatever became of it."""
    running: bool = False
    listening: bool = False
    ready: bool = False
    ready_since: float | None = None
    unready_since: float | None = None
    restart_hash: str | None = None
    """`Member.restart_hash` of the plan that the running process was started with."""
    pinned_startup: JsonObject | None = None
    """`Member.startup` as the world keeps it until the user changes what it comes from."""
    update_pending: bool = False
    """Whether the world would start it from something newer, and waits for the user to say so."""
    published: bool = False
    version: str = ""
    message: str = ""
    """What keeps it from working, in words; "" while nothing is known to, as while it starts."""
    address_problem: str = ""
    """Why it has no address for everybody, which it does not need for its work."""


@dataclass(frozen=True, slots=True)
class CanaryVerdict:
    """What the canary last found; `failures` are sentences that name leg and member."""

    passed: bool
    finished_at: float
    latency_ms: float | None = None
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """What a world sees at one moment.

    `secrets` holds the values of the Secrets that the spec names, as (name, key) → value; one that
    is missing there does not exist. `problems` are what the world could not bring about of earlier
    plans and why, by the name of the thing; each stays until it goes. `unapplied` are the members
    of whose new start something could not be applied: started anew they would be as before.
    """

    members: Mapping[str, ObservedMember] = field(default_factory=dict)
    canary_key: PublicKey | None = None
    canary: CanaryVerdict | None = None
    secrets: Mapping[tuple[str, str], SecretStr] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    unapplied: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SecretConfig:
    """The part of a member's configuration that belongs into a Secret; never shown."""

    value: JsonObject = field(repr=False)


@dataclass(frozen=True, slots=True)
class Member:
    """One member as it should be.

    `startup` is the part of statusd's JSON that a process reads once, `live` the part that it
    reads again while it runs, `secret` the part that nobody may see; merged in this order they are
    the member's whole configuration. `restart_hash` changes exactly when the process must be
    started anew. `enode` and `record` are None while the address is not known.
    """

    id: MemberId
    public_key: PublicKey
    seat: Seat
    startup: JsonObject
    live: JsonObject
    secret: SecretConfig
    restart_hash: str
    fleet_peers: tuple[Enode, ...] = ()
    enode: Enode | None = None
    record: Record | None = None
    update_pending: bool = False
    """Whether `startup` would be another if the world had not pinned it."""

    @property
    def name(self) -> str:
        """The member's name within its fleet."""
        return self.id.name

    @property
    def config(self) -> dict[str, JsonValue]:
        """statusd's JSON without what is secret."""
        return merge(self.startup, self.live)

    @property
    def whole_config(self) -> dict[str, JsonValue]:
        """statusd's JSON with key and passwords: for a file that only its process may read."""
        return merge(self.config, self.secret.value)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A member that cannot be planned or published yet: what it lacks, and the remedy."""

    id: MemberId
    lacks: Literal["key", "seat", "address", "secret"]
    message: str


@dataclass(frozen=True, slots=True)
class DesiredTree:
    """The tree if all members that have a record belonged to it; who does is decided elsewhere.

    `candidates` are the records by member's name, in the plan's order. `name_servers` and
    `mailbox` are what the zone's SOA says, names without a final dot.
    """

    domain: str
    candidates: tuple[tuple[str, Record], ...]
    links: tuple[str, ...]
    root_ttl_seconds: int
    entries_ttl_seconds: int
    soa_minimum_seconds: int
    name_servers: tuple[str, ...]
    mailbox: str
    sinks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that should exist. Equal input gives an equal plan."""

    members: tuple[Member, ...]
    waiting: tuple[Waiting, ...]
    removed: tuple[str, ...]
    """Members that the world has and the spec does not want: unpublish, wait, stop."""
    tree: DesiredTree | None
    canary_enabled: bool

    def member(self, name: str) -> Member | None:
        """Return the member of that name."""
        return next((member for member in self.members if member.name == name), None)
