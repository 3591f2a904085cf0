"""Which fields of an object are still ours: what the API server keeps of who set what. Pure.

Server-side apply keeps by field manager the set of fields that each has set (`managedFields`). A
field that somebody else has set or taken out since is no longer in our set, whatever we once
applied. So one look at an object tells whether all that we wish is ours, also after nobody looked
for a year. Source of the format: Kubernetes API reference, FieldsV1: `f:name` is a field,
`k:{…}` the entry of a list with that key, `v:…` an entry that is its own key; what is owned as a
whole has nothing below it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from statusfleet.kube.client import FIELD_MANAGER
from statusfleet.kube.kinds import Body

_OWNERS: Final = "f:ownerReferences"
_ANY: Final = "k:{}"
_SHAPES: Final = 512
"""Objects of one kind differ little in their fields, and an operator knows a dozen kinds."""


def owned_fields(metadata: Mapping[str, Any]) -> str:
    """Return the fields that are ours as a text, the same one for objects alike; "" for none."""
    for entry in metadata.get("managedFields") or ():
        ours = entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply"
        fields = entry.get("fieldsV1")
        if ours and fields and not entry.get("subresource"):
            return sys.intern(json.dumps(_without_owner(fields)))
    return ""


def holds(owned: str, body: Body) -> bool:
    """Tell whether all that `body` says is ours; `owned` is what `owned_fields` returned."""
    metadata = {k: v for k, v in body["metadata"].items() if k not in ("name", "namespace")}
    said = {k: v for k, v in body.items() if k not in ("apiVersion", "kind", "metadata")}
    return bool(owned) and _covers(_parse(owned), {**said, "metadata": metadata})


@lru_cache(maxsize=_SHAPES)
def _parse(owned: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(owned)
    return found


def _without_owner(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out the owner's uid, by which alone the objects of fleets would differ."""
    metadata = fields.get("f:metadata") or {}
    if not metadata.get(_OWNERS):
        return fields
    owners = {_ANY: next(iter(metadata[_OWNERS].values()))}
    return {**fields, "f:metadata": {**metadata, _OWNERS: owners}}


def _covers(fields: Mapping[str, Any], value: object) -> bool:
    if not fields:
        return True  # owned as a whole
    if isinstance(value, Mapping):
        return all(_empty(v) or _covers_one(fields, f"f:{k}", v) for k, v in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return all(_covers_entry(fields, entry) for entry in value)
    return True


def _covers_one(fields: Mapping[str, Any], name: str, value: object) -> bool:
    return name in fields and _covers(fields[name], value)


def _covers_entry(fields: Mapping[str, Any], entry: object) -> bool:
    if not isinstance(entry, Mapping):
        return any(name[:2] == "v:" and json.loads(name[2:]) == entry for name in fields)
    return any(
        name[:2] == "k:" and _is_key(json.loads(name[2:]), entry) and _covers(below, entry)
        for name, below in fields.items()
    )


def _is_key(key: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Tell whether an entry goes by a key; what it does not say the API server has filled in."""
    return all(entry[part] == value for part, value in key.items() if part in entry)


def _empty(value: object) -> bool:
    """Tell whether a value says nothing that could be somebody's."""
    return isinstance(value, Mapping | list | tuple) and not value
