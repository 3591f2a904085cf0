"""What the plan of a fleet is made from, read from a cluster without changing anything.

Only what a user may see is asked for. Node keys are none of it: each member gets a stand-in, made
from its name, that is the same before and after a change; so two plans differ by the change alone.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import SecretStr

from statusfleet.api.fleet import StatusFleet
from statusfleet.api.secrets import SecretId, secret_uses
from statusfleet.cli.kubectl.cluster import Remote
from statusfleet.kube import ForbiddenError
from statusfleet.kube.kinds import NODE, POD, SERVICE, Kind
from statusfleet.kube.names import FLEET_LABEL, member_object
from statusfleet.plan import Endpoint, MemberId, Observation, ObservedMember, desired_members
from statusfleet.store import State
from statusfleet.store.kubernetes import KubernetesReader
from statusfleet.worlds.kubernetes.addresses import Seen, advertised, dialed
from statusfleet.worlds.kubernetes.credentials import secret_values
from statusfleet.worlds.kubernetes.names import Owner
from statusfleet.worlds.kubernetes.pin import choose_pin, role_of
from statusfleet.worlds.kubernetes.pod import P2P_PORT
from statusfleet.worlds.kubernetes.records import (
    NodeRecord,
    PodRecord,
    Record,
    ServiceRecord,
    Snapshot,
    record_of,
)
from statusfleet.worlds.kubernetes.seeing import observed_member, pods_by_member
from statusnode.crypto.keys import KeyFormatError, PrivateKey

_NOWHERE: Final = Endpoint("0.0.0.0", P2P_PORT)  # noqa: S104 - stands for what will be allocated
Secrets = Mapping[SecretId, SecretStr]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a cluster shows of a fleet; `notes` say what could not be seen, and what that means."""

    snapshot: Snapshot = field(default_factory=Snapshot)
    state: State = field(default_factory=State)
    secrets: Secrets = field(default_factory=dict)
    reads_secrets: bool = True
    """Whether `secrets` are the values themselves, not stand-ins."""
    notes: tuple[str, ...] = ()


async def read_scene(remote: Remote, fleets: Iterable[StatusFleet]) -> Scene:
    """Look at a fleet, and at the Secrets that any of its specs in `fleets` name.

    Raises:
        KubeError: the cluster does not answer, or refuses what every command needs.
        StoreError: the fleet's memory cannot be understood.
    """
    notes: list[str] = []
    pods, services = await asyncio.gather(_records(remote, POD), _records(remote, SERVICE))
    try:
        nodes = await _records(remote, NODE)
    except ForbiddenError:
        nodes = []
        notes.append("nodes may not be read, so members' addresses on them are not known here")
    state = await KubernetesReader(remote.client, remote.namespace, remote.name).read()
    values: dict[SecretId, SecretStr] = {}
    reads_secrets = True
    try:
        for fleet in fleets:
            values |= await secret_values(remote.client, remote.namespace, fleet.spec)
    except ForbiddenError:
        values, reads_secrets = stand_ins(fleets), False
        notes.append("Secrets may not be read: one that is named elsewhere counts as another value")
    return Scene(
        Snapshot(
            pods={pod.name: pod for pod in pods if isinstance(pod, PodRecord)},
            services={one.child.name: one for one in services if isinstance(one, ServiceRecord)},
            nodes={node.name: node for node in nodes if isinstance(node, NodeRecord)},
        ),
        state,
        values,
        reads_secrets,
        tuple(notes),
    )


async def _records(remote: Remote, kind: Kind) -> list[Record]:
    labels = {FLEET_LABEL: remote.name} if kind.namespaced else ""
    namespace = remote.namespace if kind.namespaced else ""
    return [record_of(body) for body in await remote.client.list(kind, namespace, labels=labels)]


def stand_ins(fleets: Iterable[StatusFleet]) -> dict[SecretId, SecretStr]:
    """Return a value for each Secret that a spec names, another one for each name and key. Pure."""
    ids = {use.ref.value_id for fleet in fleets for use in secret_uses(fleet.spec)}
    return {one: SecretStr(_stand_in("/".join(one)).data.hex()) for one in ids}


def observe(fleet: StatusFleet, scene: Scene, secrets: Secrets, own_image: str) -> Observation:
    """Return what the plan of `fleet` is made from, stand-ins in the place of keys. Pure.

    `own_image` is what members run where the spec names no image.
    """
    owner = Owner(fleet.metadata.namespace, fleet.name, "")
    pods = pods_by_member(scene.snapshot, owner)
    members = {
        member.name: _member(fleet, member, scene.snapshot, pods.get(member), secrets, own_image)
        for member in desired_members(fleet.spec)
    }
    return Observation(
        members=members, canary_key=_stand_in("canary").public_key, secrets=dict(secrets)
    )


def _member(
    fleet: StatusFleet,
    member: MemberId,
    snapshot: Snapshot,
    pod: PodRecord | None,
    secrets: Secrets,
    own_image: str,
) -> ObservedMember:
    role = role_of(fleet, member)
    override = role.override(member.ordinal)
    service = snapshot.services.get(member_object(fleet.name, member.name))
    node = snapshot.nodes.get(pod.node) if pod is not None else None
    given = override.node_key_secret
    key = _given(secrets.get(given.value_id)) if given is not None else _stand_in(member.name)
    return observed_member(
        member,
        key=key,
        choice=choose_pin(fleet, member, "", own_image),
        dial=dialed(service) or _NOWHERE,
        advertised=advertised(role.expose, override.address, Seen(service, node)),
        pod=pod,
        node=node,
        record=None,
        down_since=0.0,
    )


def _given(value: SecretStr | None) -> PrivateKey | None:
    try:
        return PrivateKey.from_hex(value.get_secret_value()) if value is not None else None
    except KeyFormatError:
        return None


def _stand_in(name: str) -> PrivateKey:
    """Return a key that stands for one that is not looked at: the same for the same name."""
    return PrivateKey(hashlib.sha256(f"stand-in for {name}".encode()).digest())
