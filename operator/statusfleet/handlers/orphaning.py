"""A fleet that is deleted with `kubectl delete --cascade=orphan`: all of it goes on, without it.

The garbage collector then takes the fleet out of its objects' owner references, within a fraction
of a second, and all that is left of the wish is that they have no owner. That may be seen before
the deletion is, or when no operator has run for days.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from statusfleet.handlers.notices import Noticeboard, orphaned
from statusfleet.kube.client import KubeClient
from statusfleet.kube.errors import ConflictError, NotFoundError
from statusfleet.kube.kinds import (
    DNS_ENDPOINT,
    NODE,
    POD,
    STATEFUL_SET,
    STATUS_FLEET,
    Body,
    JsonDict,
    Kind,
)
from statusfleet.kube.names import fleet_selector
from statusfleet.worlds.kubernetes.names import Owner
from statusfleet.worlds.kubernetes.ownership import has_owner
from statusfleet.worlds.kubernetes.records import RECORDS, Snapshot

ORPHAN: Final = "orphan"
"""The finalizer by which the garbage collector is told (`FinalizerOrphanDependents`)."""
GARBAGE_COLLECTOR_SECONDS: Final = 30.0
_OWNED: Final = tuple(kind for kind in RECORDS if kind not in (NODE, POD, DNS_ENDPOINT))
"""Kinds of which a fleet owns objects."""
_log = logging.getLogger(__name__)


class Orphaning:
    """Finds out that one fleet's objects are to outlive it, and lets go of them."""

    def __init__(
        self, client: KubeClient, owner: Owner, board: Noticeboard, now: Callable[[], float]
    ) -> None:
        self._client = client
        self._owner = owner
        self._board = board
        self._now = now
        self._wanted = False

    async def deletion(self, snapshot: Snapshot) -> JsonDict | None:
        """Return the fleet as it stands, if it was deleted; asked where members have no owner.

        Else they would get it back, and go with it.

        Raises:
            KubeError: the cluster does not answer.
        """
        if all(has_owner(record.child.owned) for record in snapshot.stateful_sets.values()):
            return None
        fields = f"metadata.name={self._owner.name}"
        found = await self._client.list(STATUS_FLEET, self._owner.namespace, fields=fields)
        deleted = (body for body in found if body["metadata"].get("deletionTimestamp"))
        return next((b for b in deleted if b["metadata"]["uid"] == self._owner.uid), None)

    async def is_wanted(self, body: Body) -> bool:
        """Tell whether a fleet that was deleted is to leave everything; raises KubeError."""
        if not self._wanted:
            asked = ORPHAN in (body["metadata"].get("finalizers") or ())
            self._wanted = asked or any(not _owners(one) for one in await self._list(STATEFUL_SET))
        return self._wanted

    async def let_go(self, body: Body) -> bool:
        """Let go of all objects; False where the garbage collector is still about it.

        Raises:
            KubeError: the cluster does not answer.
        """
        if ORPHAN in (body["metadata"].get("finalizers") or ()):
            return False
        for kind in _OWNED:
            for found in await self._list(kind):
                owners = _owners(found)
                if any(one.get("uid") == self._owner.uid for one in owners):
                    await self._disown(kind, found["metadata"], owners)
        told = orphaned()
        _log.info("fleet %s/%s: %s", self._owner.namespace, self._owner.name, told.message)
        await self._board.post([told], self._now())
        return True

    async def _list(self, kind: Kind) -> list[JsonDict]:
        labels = fleet_selector(self._owner.name)
        return await self._client.list(
            kind, self._owner.namespace, labels=labels, metadata_only=True
        )

    async def _disown(self, kind: Kind, metadata: Body, owners: list[Any]) -> None:
        """Take the fleet out of the owners of an object that a pass gave back to it meanwhile."""
        rest = [one for one in owners if one.get("uid") != self._owner.uid]
        patch = {"metadata": {"uid": metadata["uid"], "ownerReferences": rest or None}}
        try:
            await self._client.patch(kind, self._owner.namespace, metadata["name"], patch)
        except (ConflictError, NotFoundError):
            return  # another's by now, or gone


def _owners(found: Body) -> list[Any]:
    return list(found["metadata"].get("ownerReferences") or ())
