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
from collections.abc import Mapping
from dataclasses import dataclass
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


def has_owner(owned: str) -> bool:
    """Tell whether an owner that we have set is still ours; `owned` as in `holds`."""
    return _OWNERS in owned


def holds(owned: str, body: Body) -> bool:
    """Tell whether all that `body` says is ours; `owned` is what `owned_fields` returned."""
    metadata = {k: v for k, v in body["metadata"].items() if k not in ("name", "namespace")}
    said = {k: v for k, v in body.items() if k not in ("apiVersion", "kind", "metadata")}
    return bool(owned) and _covers(_parse(owned), {**said, "metadata": metadata})


@dataclass(frozen=True, slots=True)
class _Fields:
    """What of a value is ours: fields by name, entries by key, and entries that are their own key.

    All of it where it is owned as a whole.
    """

    whole: bool
    names: Mapping[str, _Fields]
    entries: tuple[tuple[Mapping[str, Any], _Fields], ...]
    values: tuple[Any, ...]


@lru_cache(maxsize=_SHAPES)
def _parse(owned: str) -> _Fields:
    return _fields(json.loads(owned))


def _fields(found: Mapping[str, Any]) -> _Fields:
    names: dict[str, _Fields] = {}
    entries: list[tuple[Mapping[str, Any], _Fields]] = []
    values: list[Any] = []
    for name, below in found.items():
        sort, _, text = name.partition(":")
        if sort == "f":
            names[text] = _fields(below)
        elif sort == "k":
            entries.append((json.loads(text), _fields(below)))
        elif sort == "v":
            values.append(json.loads(text))
    return _Fields(not found, names, tuple(entries), tuple(values))


def _without_owner(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out the owner's uid, by which alone the objects of fleets would differ."""
    metadata = fields.get("f:metadata") or {}
    if not metadata.get(_OWNERS):
        return fields
    owners = {_ANY: next(iter(metadata[_OWNERS].values()))}
    return {**fields, "f:metadata": {**metadata, _OWNERS: owners}}


def _covers(fields: _Fields, value: object) -> bool:
    # Plain loops: this is asked of every object at every look.
    if fields.whole:
        return True
    if isinstance(value, dict):
        for name, part in value.items():
            below = fields.names.get(name)
            if not (_empty(part) if below is None else _covers(below, part)):
                return False
    elif isinstance(value, list | tuple):
        for entry in value:
            if not _covers_entry(fields, entry):
                return False
    return True


def _covers_entry(fields: _Fields, entry: object) -> bool:
    if not isinstance(entry, dict):
        return entry in fields.values
    return any(_is_key(key, entry) and _covers(below, entry) for key, below in fields.entries)


def _is_key(key: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Tell whether an entry goes by a key; what it does not say the API server has filled in."""
    return all(part not in entry or entry[part] == value for part, value in key.items())


def _empty(value: object) -> bool:
    """Tell whether a value says nothing that could be somebody's."""
    return isinstance(value, dict | list | tuple) and not value
