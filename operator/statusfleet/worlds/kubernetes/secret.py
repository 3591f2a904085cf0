"""Secrets made from the plan: what of a member's or the canary's settings nobody may see. Pure.

They can be made again at any time, so they go with the fleet. Identities are none of them: the
store keeps those in Secrets of their own, which are never overwritten.
"""

from __future__ import annotations

import base64
import json

from statusfleet.kube.kinds import SECRET, JsonDict
from statusfleet.plan import Member
from statusfleet.plan.types import JsonObject
from statusfleet.worlds.kubernetes.names import CANARY, Owner
from statusfleet.worlds.kubernetes.pod import SECRET_KEY

CANARY_KEY = "canary.json"


def secret_name(child: str) -> str:
    """Return the name of the Secret beside the ConfigMap, or the Deployment, called `child`."""
    return f"{child}-config"


def member_secret(owner: Owner, member: Member) -> JsonDict:
    """Return the Secret that is merged over a member's ConfigMap."""
    name = secret_name(owner.child(member.name))
    body = owner.body(SECRET, name, owner.member_labels(member.id))
    return body | _data(SECRET_KEY, member.secret.value)


def canary_secret(owner: Owner, settings: JsonObject) -> JsonDict:
    """Return the Secret with all that the canary is told."""
    body = owner.body(SECRET, secret_name(owner.child(CANARY)), owner.canary_labels)
    return body | _data(CANARY_KEY, settings)


def _data(key: str, value: JsonObject) -> JsonDict:
    text = json.dumps(dict(value), indent=2, sort_keys=True) + "\n"
    return {"type": "Opaque", "data": {key: base64.b64encode(text.encode()).decode()}}
