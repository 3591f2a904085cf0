"""The volume claim of one member; ours, since templates of a StatefulSet cannot change. Pure."""

from __future__ import annotations

from statusfleet.api.roles import Storage
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
