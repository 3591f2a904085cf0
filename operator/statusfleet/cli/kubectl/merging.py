"""What `kubectl apply` would send, and what differs between two states of an object. Pure.

Source of the merge: kubectl's client-side apply, which remembers in an annotation what was applied
last, so that what a user takes out of a manifest goes, and what others added stays.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from statusfleet.kube.client import FIELD_MANAGER
from statusfleet.kube.kinds import Body, JsonDict

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
KUBECTL: Final = "kubectl"
"""The manager of fields that `kubectl apply --server-side` set."""
_LONGEST_VALUE: Final = 48
_ABSENT: Final = "(none)"
_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Edit:
    """One field that changes, with what it is and will be in words."""

    path: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.path}: {self.before} -> {self.after}"


def written(body: Body) -> JsonDict:
    """Return the part of an object that its user writes: no status, nothing of the server's."""
    metadata: Mapping[str, Any] = body.get("metadata") or {}
    said: Mapping[str, str] = metadata.get("annotations") or {}
    annotations = {key: value for key, value in said.items() if key != LAST_APPLIED}
    kept = {"labels": metadata.get("labels") or {}, "annotations": annotations}
    return {
        "metadata": {key: value for key, value in kept.items() if value},
        "spec": body.get("spec") or {},
    }


def last_applied(live: Body) -> JsonDict | None:
    """Return what kubectl applied last, None where it is not known."""
    text = ((live.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED, "")
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def applier(live: Body) -> str | None:
    """Return who sets the object's fields by server-side apply; None where nobody does."""
    entries = (live.get("metadata") or {}).get("managedFields") or ()
    managers = [
        str(entry.get("manager", ""))
        for entry in entries
        if entry.get("operation") == "Apply" and not entry.get("subresource")
    ]
    users = [manager for manager in managers if manager != FIELD_MANAGER]
    if KUBECTL in users:
        return KUBECTL
    return next(iter(users), None)


def three_way(last: Body, wish: Body, live: Body) -> JsonDict:
    """Return the JSON merge patch (RFC 7386) that kubectl sends.

    It sets what `wish` has and `live` has not, and removes what `last` had and `wish` has no more.
    """
    patch: JsonDict = {key: None for key in last if key not in wish and key in live}
    for key, value in wish.items():
        present = live.get(key, _MISSING)
        if isinstance(value, Mapping) and isinstance(present, Mapping):
            before = last.get(key)
            inner = three_way(before if isinstance(before, Mapping) else {}, value, present)
            if inner:
                patch[key] = inner
        elif present != value:
            patch[key] = value
    return patch


def edits(before: Body, after: Body) -> list[Edit]:
    """Return the fields that differ between two objects, as their users see them."""
    return list(_edits(written(before), written(after), ""))


def _edits(before: Any, after: Any, path: str) -> Iterator[Edit]:  # noqa: ANN401 - any JSON
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            place = f"{path}.{key}" if path else key
            yield from _edits(before.get(key, _MISSING), after.get(key, _MISSING), place)
    elif isinstance(before, list) and isinstance(after, list):
        for place in range(max(len(before), len(after))):
            old, new = (part[place] if place < len(part) else _MISSING for part in (before, after))
            yield from _edits(old, new, f"{path}[{place}]")
    elif before != after:
        yield Edit(path, _shown(before), _shown(after))


def _shown(value: Any) -> str:  # noqa: ANN401 - any JSON
    if value is _MISSING:
        return _ABSENT
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
