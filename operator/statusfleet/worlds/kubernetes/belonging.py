"""Whose an object is that stands where one of ours should be. Pure.

Names of objects begin with the fleet's, and somebody else may have chosen the same: a user, another
operator, or a fleet that is called as a part of this one (the servers of `eth` are called
`eth-dns`). Server-side apply would add our fields to theirs, and the owner with which it then goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from statusfleet.api.fleet import GROUP, KIND
from statusfleet.kube.kinds import PERSISTENT_VOLUME_CLAIM, Body
from statusfleet.kube.names import FLEET_LABEL

_NOBODY: Final[Mapping[str, Any]] = {}


def whose(found: Body, wanted: Body) -> str:
    """Return whose the object `found` is, "" where `wanted` may be applied to it.

    What an earlier fleet of the same name has left is ours, and so is a claim that somebody has
    made for the fleet, such as one with an archive from a copy.
    """
    metadata = found.get("metadata") or {}
    fleet = (wanted["metadata"].get("labels") or {}).get(FLEET_LABEL)
    owners = metadata.get("ownerReferences") or ()
    controller = next((owner for owner in owners if owner.get("controller")), _NOBODY)
    if controller:
        group = str(controller.get("apiVersion")).partition("/")[0]
        named = group, controller.get("kind"), controller.get("name")
        return "" if named == (GROUP, KIND, fleet) else f"{named[1]} {named[2]}"
    label = (metadata.get("labels") or {}).get(FLEET_LABEL)
    if label is not None:
        return "" if label == fleet else f"{KIND} {label}"
    return "" if wanted["kind"] == PERSISTENT_VOLUME_CLAIM.kind else "somebody else"
