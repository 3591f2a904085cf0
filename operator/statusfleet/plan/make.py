"""From wish and observation to everything that should exist: `make_plan`.

Pure: no clock, no file, no randomness (signatures are deterministic, RFC 6979). A member without a
key, a seat or a secret is not planned but waited for; one without an address is planned, since it
may have to run before it gets one, and stays out of the tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from statusfleet.api.fleet import StatusFleet
from statusfleet.api.model import SecretSource
from statusfleet.api.roles import Mailserver, RoleSpec
from statusfleet.api.tree import DEFAULT_NAME_SERVERS, TreeSpec
from statusfleet.plan.members import desired_members
from statusfleet.plan.record import member_record
from statusfleet.plan.ring import neighbours
from statusfleet.plan.settings import (
    PUBLIC_MAIL_PASSWORD,
    own_settings,
    peer_settings,
    restart_hash,
    split_live,
)
from statusfleet.plan.types import (
    DesiredTree,
    Endpoint,
    JsonObject,
    Member,
    MemberId,
    Observation,
    ObservedMember,
    Plan,
    Seat,
    SecretConfig,
    Waiting,
    merge,
)
from statusnode.crypto.keys import PrivateKey, PublicKey
from statusnode.records.enode import Enode
from statusnode.records.enr import Record


@dataclass(frozen=True, slots=True)
class _Facts:
    """A member of which enough is known to plan it."""

    id: MemberId
    role: RoleSpec
    key: PrivateKey
    seat: Seat
    pinned: JsonObject | None
    dial: Enode
    enode: Enode | None
    record: Record | None
    secret: Mapping[str, JsonValue]


class _Lacking(Exception):  # noqa: N818 - carries an answer within this module, never leaves it
    def __init__(self, lacks: Literal["key", "seat", "address", "secret"], message: str) -> None:
        super().__init__(message)
        self.lacks = lacks


def make_plan(fleet: StatusFleet, observation: Observation) -> Plan:
    """Return the plan of `fleet` under `observation`; equal arguments give equal plans."""
    roles = {role.role: role for role in fleet.spec.roles.present()}
    wanted = desired_members(fleet.spec)
    owners = _owners(wanted, observation)
    known: dict[str, _Facts] = {}
    waiting: list[Waiting] = []
    for member in wanted:
        observed = observation.members.get(member.name, ObservedMember(member))
        try:
            _check_key(observed, owners)
            facts = _gather(member, roles[member.role], observed, observation)
        except _Lacking as lacking:
            waiting.append(Waiting(member, lacking.lacks, str(lacking)))
            continue
        known[member.name] = facts
        if facts.record is None:
            message = "its address is not known yet, so it cannot be published"
            waiting.append(Waiting(member, "address", message))
    ring = neighbours(known)
    members = tuple(
        _member(
            fleet, facts, [known[name].dial for name in ring[facts.id.name]], known, observation
        )
        for facts in known.values()
    )
    names = {member.name for member in wanted}
    return Plan(
        members=members,
        waiting=tuple(waiting),
        removed=tuple(sorted(set(observation.members) - names)),
        tree=_tree(fleet.spec.tree, members),
        canary_enabled=fleet.spec.canary.enabled,
    )


def _owners(wanted: Iterable[MemberId], observation: Observation) -> dict[PublicKey, MemberId]:
    """Return whose each key is: the first's, unless another is known by it already."""
    owners: dict[PublicKey, MemberId] = {}
    for member in wanted:
        observed = observation.members.get(member.name)
        if observed is None or observed.key is None:
            continue
        key = observed.key.public_key
        if key not in owners or (observed.record and observed.record.public_key == key):
            owners[key] = member
    return owners


def _check_key(observed: ObservedMember, owners: Mapping[PublicKey, MemberId]) -> None:
    """Refuse a key of two members, who would be one node to everybody else."""
    owner = owners[observed.key.public_key] if observed.key is not None else observed.id
    if owner != observed.id:
        text = f"its node key is that of {owner} already: give each member a key of its own"
        raise _Lacking("key", text)


def _gather(
    member: MemberId, role: RoleSpec, observed: ObservedMember, observation: Observation
) -> _Facts:
    if observed.key is None:
        raise _Lacking("key", observed.message or "its node key is not there yet")
    if observed.seat is None:
        raise _Lacking("seat", observed.message or "it has no ports and folder yet")
    dial = observed.dial or observed.seat.listen
    advertised = observed.advertised
    record = member_record(observed.key, advertised, observed.record) if advertised else None
    return _Facts(
        id=member,
        role=role,
        key=observed.key,
        seat=observed.seat,
        pinned=observed.pinned_startup,
        dial=_enode(observed.key, dial),
        enode=_enode(observed.key, advertised) if advertised else None,
        record=record,
        secret=_secret_settings(role, observed.key, observed.seat, observation),
    )


def _secret_settings(
    role: RoleSpec, key: PrivateKey, seat: Seat, observation: Observation
) -> dict[str, JsonValue]:
    settings: dict[str, JsonValue] = {} if seat.key_file else {"NodeKey": key.data.hex()}
    if isinstance(role, Mailserver):
        password = _secret(role.password, observation, "the password of mail requests")
        settings["WakuConfig"] = {"MailServerPassword": password or PUBLIC_MAIL_PASSWORD}
    return settings


def _secret(source: SecretSource | None, observation: Observation, what: str) -> str | None:
    if source is None:
        return None
    name, key = source.secret_key_ref.name, source.secret_key_ref.key
    value = observation.secrets.get((name, key))
    if value is None:
        raise _Lacking("secret", f"{what} should be key {key} of Secret {name}, which is not there")
    text = value.get_secret_value()
    if not text:  # taken as it stands, it would mean the public one
        raise _Lacking("secret", f"{what} in key {key} of Secret {name} is empty: give it a value")
    return text


def _member(
    fleet: StatusFleet,
    facts: _Facts,
    peers: list[Enode],
    known: Mapping[str, _Facts],
    observation: Observation,
) -> Member:
    spec = fleet.spec
    mailservers = [
        str(other.dial)
        for other in known.values()
        if other.id.role == "mailserver" and other.id != facts.id
    ]
    canary = observation.canary_key if spec.canary.enabled else None
    settings = merge(
        merge(
            own_settings(fleet, facts.role, facts.seat),
            peer_settings(
                static=spec.peers.static,
                mailservers=[*mailservers, *spec.peers.trusted_mailservers],
                fleet_peers=[str(peer) for peer in peers],
                canary=canary.data.hex() if canary else "",
                record=str(facts.record) if facts.record else "",
            ),
        ),
        facts.role.config,
    )
    rendered, live = split_live(settings)
    startup = rendered if facts.pinned is None else facts.pinned
    return Member(
        id=facts.id,
        public_key=facts.key.public_key,
        seat=facts.seat,
        startup=startup,
        live=live,
        secret=SecretConfig(facts.secret),
        restart_hash=restart_hash(startup, facts.secret, facts.key, facts.seat.program),
        fleet_peers=tuple(peers),
        enode=facts.enode,
        record=facts.record,
        update_pending=startup != rendered,
    )


def _enode(key: PrivateKey, endpoint: Endpoint) -> Enode:
    return Enode(key.public_key, endpoint.host, endpoint.tcp, endpoint.udp)


def _tree(spec: TreeSpec | None, members: tuple[Member, ...]) -> DesiredTree | None:
    if spec is None:
        return None
    return DesiredTree(
        domain=spec.domain,
        candidates=tuple(
            (member.name, member.record) for member in members if member.record is not None
        ),
        links=spec.links,
        root_ttl_seconds=spec.ttl.root.whole_seconds,
        entries_ttl_seconds=spec.ttl.entries.whole_seconds,
        soa_minimum_seconds=spec.soa.minimum.whole_seconds,
        name_servers=spec.soa.name_servers or DEFAULT_NAME_SERVERS,
        mailbox=spec.soa.mailbox(spec.domain),
        sinks=tuple(sink.name for sink in spec.publish),
    )
