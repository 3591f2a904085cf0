"""What of a fleet's object is kept between passes, and what of it a pass depends on. Pure."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from typing import Any

from statusfleet.api.fleet import GROUP
from statusfleet.kube.kinds import JsonDict


def slim(body: JsonDict, status: Mapping[str, Any]) -> JsonDict:
    """Return of a fleet what is kept between passes; its status is `status` where they are equal.

    A thousand fleets with all that the server tells of their fields would take 50 MiB.
    """
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    found = body.get("status") or {}
    kept = once({**body, "metadata": metadata, "status": {}})
    return {**kept, "status": status if found == status else once(found)}


def once(body: Mapping[str, Any]) -> JsonDict:
    """Return an equal object of JSON, each text of which is kept once for all that say it."""
    return {sys.intern(key): _once(value) for key, value in body.items()}


def is_news(before: JsonDict, after: JsonDict, own: Collection[Mapping[str, Any] | None]) -> bool:
    """Tell whether a fleet, as it was seen before and after, has anything new to a pass.

    `own` are the statuses of our own writing, as they were sent and as they were kept, from which a
    definition that is older than us leaves out what it does not know. They are no news: else who
    fails and says when it tries again would not wait.
    """
    if _essence(before) != _essence(after):
        return True
    return after["status"] != before["status"] and after["status"] not in own


def is_awaited(body: JsonDict) -> bool:
    """Tell whether somebody waits for a first look at a fleet, other than for us to have begun."""
    metadata, seen = body["metadata"], body["status"].get("observedGeneration")
    return seen != metadata.get("generation") or bool(metadata.get("deletionTimestamp"))


def _essence(body: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what of a fleet a pass depends on, apart from its status."""
    metadata = body["metadata"]
    return (
        metadata.get("generation"),
        metadata.get("deletionTimestamp"),
        metadata.get("finalizers"),
        {k: v for k, v in (metadata.get("annotations") or {}).items() if k.startswith(GROUP)},
    )


def _once(value: object) -> object:
    if isinstance(value, dict):
        return once(value)
    if isinstance(value, list):
        return [_once(part) for part in value]
    return sys.intern(value) if isinstance(value, str) else value
