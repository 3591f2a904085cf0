"""The ConfigMap of one member: statusd's JSON without what is secret. Pure."""

from __future__ import annotations

import json

from statusfleet.kube.kinds import CONFIG_MAP, JsonDict
from statusfleet.plan import Member
from statusfleet.worlds.kubernetes.names import Owner
from statusfleet.worlds.kubernetes.pod import CONFIG_KEY


def config_map(owner: Owner, member: Member) -> JsonDict:
    """Return a member's ConfigMap; what statusd reads again while it runs stands here too."""
    body = owner.body(CONFIG_MAP, owner.child(member.name), owner.member_labels(member.id))
    body["data"] = {CONFIG_KEY: json.dumps(member.config, indent=2, sort_keys=True) + "\n"}
    return body
