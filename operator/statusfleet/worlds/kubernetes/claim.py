"""The volume claim of one member; ours, since templates of a StatefulSet cannot change. Pure."""

from __future__ import annotations

from statusfleet.api.roles import Roles, Storage
from statusfleet.kube.kinds import PERSISTENT_VOLUME_CLAIM, JsonDict
from statusfleet.plan import MemberId
from statusfleet.worlds.kubernetes.names import Owner


def claim(owner: Owner, member: MemberId, storage: Storage) -> JsonDict:
    """Return a member's claim; one that is retained outlives the fleet, and so has no owner."""
    body = owner.body(
        PERSISTENT_VOLUME_CLAIM,
        owner.child(member.name),
        owner.member_labels(member),
        owned=storage.retention_policy.when_deleted == "Delete",
    )
    body["spec"] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": storage.size}},
    }
    if storage.storage_class_name is not None:
        body["spec"]["storageClassName"] = storage.storage_class_name
    return body


def drops_claim(roles: Roles, member: MemberId) -> bool:
    """Tell whether a removed member's claim goes with it: where its role shrank and says so.

    A member that is only disabled keeps its claim, and so does every one of a role that stands in
    the spec no more. Where the fleet itself is deleted, the claim's owner decides.
    """
    for role in roles.present():
        if role.role == member.role and role.storage is not None:
            scaled_in = member.ordinal >= role.replicas
            return scaled_in and role.storage.retention_policy.when_scaled == "Delete"
    return False
