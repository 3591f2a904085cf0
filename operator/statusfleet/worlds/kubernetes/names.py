"""How the objects of one fleet begin: names, labels, owner. Pure.

Stands on the names and labels that all floors share (`statusfleet.kube.names`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, get_args

from statusfleet.api.fleet import API_VERSION, GROUP, KIND
from statusfleet.api.roles import RoleName
from statusfleet.kube import names
from statusfleet.kube.kinds import JsonDict, Kind
from statusfleet.plan import MemberId

INTENT: Final = f"{GROUP}/intent"
"""Annotation: the digest of what was last applied."""
PINNED: Final = f"{GROUP}/pinned"
"""Annotation of a StatefulSet: what its pod was rendered to when its part of the spec changed."""
RESTART_HASH: Final = f"{GROUP}/restart-hash"
"""Annotation of a pod: `Member.restart_hash` of the plan that it was started with."""
ACCOUNT: Final = f"{GROUP}/service-account-uid"
"""The ServiceAccount to which the token of a pod is bound."""
SETTINGS: Final = f"{GROUP}/settings"
"""Annotation of a pod: the digest of the settings that its kubelet was told to look at."""
RESTART: Final = f"{GROUP}/restart"
"""Annotation of a fleet, and with `.<member>` after it of one member: a new value restarts."""
P2P: Final = "p2p"
"""Name of the port of a member's Service that leads to it; users may add others."""
CANARY: Final = "canary"
DIAL: Final = "dial"
_LONGEST_STATEFULSET: Final = 52
"""A pod's label holds the name of its StatefulSet, a dash and a digest, in 63 characters."""
_MEMBERS: Final = 1024
"""Fleets call their members alike, and tens of thousands of records name one: few are kept."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The fleet that objects are made for."""

    namespace: str
    name: str
    uid: str

    def child(self, part: str) -> str:
        """Return the name of an object of the fleet: of a member, a role, the canary."""
        return names.member_object(self.name, part)

    def stateful_set(self, member: MemberId) -> str:
        """Return the name of a member's StatefulSet: of one with a very long name, shortened."""
        name = self.child(member.name)
        if len(name) <= _LONGEST_STATEFULSET:
            return name
        digest = hashlib.sha256(self.name.encode()).hexdigest()[:6]
        room = _LONGEST_STATEFULSET - len(member.name) - len(digest) - 2
        return f"{self.name[:room]}-{digest}-{member.name}"

    def pod(self, member: MemberId) -> str:
        """Return the name of a member's pod."""
        return f"{self.stateful_set(member)}-0"

    @property
    def labels(self) -> dict[str, str]:
        """The labels of what belongs to the fleet as a whole."""
        return names.fleet_labels(self.name)

    @property
    def canary_labels(self) -> dict[str, str]:
        """The labels of everything that belongs to the canary."""
        return names.fleet_labels(self.name, part=CANARY)

    @property
    def canary_selector(self) -> dict[str, str]:
        """The labels that select the canary's pod."""
        return {names.FLEET_LABEL: self.name, names.PART_LABEL: CANARY}

    @property
    def dial_labels(self) -> dict[str, str]:
        """The labels of pods that dial a member, which no Service or policy of members selects."""
        return names.fleet_labels(self.name, part=DIAL)

    def role_labels(self, role: RoleName) -> dict[str, str]:
        """Return the labels of what belongs to a role."""
        return {**self.labels, names.ROLE_LABEL: role, "app.kubernetes.io/component": role}

    def role_selector(self, role: RoleName) -> dict[str, str]:
        """Return the labels that select the members of a role."""
        return {names.FLEET_LABEL: self.name, names.ROLE_LABEL: role}

    def member_labels(self, member: MemberId) -> dict[str, str]:
        """Return the labels of everything that belongs to a member."""
        return names.member_labels(self.name, member.role, member.ordinal)

    def member_selector(self, member: MemberId) -> dict[str, str]:
        """Return the labels that select a member's pod."""
        return {**self.role_selector(member.role), names.ORDINAL_LABEL: str(member.ordinal)}

    def body(
        self,
        kind: Kind,
        name: str,
        labels: Mapping[str, str],
        *,
        annotations: Mapping[str, str] | None = None,
        owned: bool = True,
    ) -> JsonDict:
        """Return the beginning of an object; one that is not `owned` outlives the fleet."""
        metadata: JsonDict = {"name": name, "namespace": self.namespace, "labels": dict(labels)}
        if annotations:
            metadata["annotations"] = dict(annotations)
        if owned:
            metadata["ownerReferences"] = [
                {
                    "apiVersion": API_VERSION,
                    "kind": KIND,
                    "name": self.name,
                    "uid": self.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ]
        return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}


def member_of(labels: Mapping[str, str]) -> MemberId | None:
    """Return which member an object with these labels belongs to, None if to none."""
    return _member(labels.get(names.ROLE_LABEL, ""), labels.get(names.ORDINAL_LABEL, ""))


@lru_cache(maxsize=_MEMBERS)
def _member(role: str, ordinal: str) -> MemberId | None:
    for known in get_args(RoleName):
        if role == known and ordinal.isdecimal():
            return MemberId(known, int(ordinal))
    return None
