"""All of one fleet on a cluster at one moment, by names that mean the same in every fleet."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    NETWORK_POLICY,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    POD_DISRUPTION_BUDGET,
    ROLE,
    ROLE_BINDING,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    STATUS_FLEET,
    Kind,
)
from statusfleet.kube.names import FLEET_LABEL, ORDINAL_LABEL, ROLE_LABEL

Json = dict[str, Any]
KINDS: tuple[Kind, ...] = (
    CONFIG_MAP,
    DEPLOYMENT,
    NETWORK_POLICY,
    PERSISTENT_VOLUME_CLAIM,
    POD_DISRUPTION_BUDGET,
    ROLE,
    ROLE_BINDING,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
)


@dataclass(frozen=True, slots=True)
class Sight:
    """What is there: the fleet, its objects (`StatefulSet relayer-0`), its members' pods by name.

    The part of an object is its name without the fleet's; the fleet's own objects have none.
    """

    fleet: Json
    objects: Mapping[str, Json]
    pods: Mapping[str, Json]

    @property
    def status(self) -> Json:
        return dict(self.fleet.get("status") or {})

    @property
    def is_told(self) -> bool:
        """Whether the status speaks of the present spec."""
        generation = self.fleet["metadata"]["generation"]
        return bool(self.status.get("observedGeneration") == generation)

    def texts(self, name: str) -> dict[str, str]:
        """What a ConfigMap or a Secret holds."""
        body = self.objects[name]
        data: dict[str, str] = body.get("data") or {}
        if body["kind"] != SECRET.kind:
            return data
        return {key: base64.b64decode(text).decode() for key, text in data.items()}

    def member(self, name: str) -> Json:
        """A member's row in the status."""
        rows = (row for row in self.status.get("members", ()) if row["name"] == name)
        return next(rows, {})


async def look(client: KubeClient, namespace: str, name: str) -> Sight:
    """Look at a fleet and at all that bears its label."""
    fleet = await client.get(STATUS_FLEET, namespace, name)
    labels = {FLEET_LABEL: name}
    kinds = (*KINDS, POD)
    lists = await asyncio.gather(*(client.list(kind, namespace, labels=labels) for kind in kinds))
    *found, pods = lists
    objects = {
        f"{kind} {_part(item, name)}".strip(): item
        for kind, items in zip(KINDS, found, strict=True)
        for item in items
    }
    return Sight(fleet, objects, {_member(pod): pod for pod in pods if _member(pod)})


def _part(item: Json, fleet: str) -> str:
    return str(item["metadata"]["name"]).removeprefix(fleet).removeprefix("-")


def _member(pod: Json) -> str:
    labels = pod["metadata"]["labels"]
    if ORDINAL_LABEL not in labels or pod["metadata"].get("deletionTimestamp"):
        return ""
    return f"{labels[ROLE_LABEL]}-{labels[ORDINAL_LABEL]}"
