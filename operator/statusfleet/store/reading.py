"""A fleet's memory in its cluster, as its reader sees it, such as the fleet's DNS servers.

What stands where is told in `kubernetes.py`, the other side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final, NamedTuple

from statusfleet.kube import names
from statusfleet.kube.client import KubeClient
from statusfleet.kube.errors import NotFoundError
from statusfleet.kube.kinds import CONFIG_MAP, JsonDict
from statusfleet.store.errors import StoreError
from statusfleet.store.head import Head, decode_head, state_of
from statusfleet.store.identities import Watched
from statusfleet.store.remains import LostTextsError, Remains
from statusfleet.store.state import State, decode_shown, decode_underway
from statusfleet.store.texts import Texts
from statusnode.records.tree import label_of

HEAD_KEY: Final = "state.json"
SHOWN_KEY: Final = "sinks.json"
UNDERWAY_KEY: Final = "underway.json"
TEXTS_KEY: Final = "texts"
_READ_ATTEMPTS: Final = 3


class Known(NamedTuple):
    """The head as it was last read or written."""

    state: State
    version: str
    """resourceVersion of the head; "" where there is none."""
    shards: Mapping[str, Texts]


NOTHING: Final = Known(State(), "", {})


class KubernetesReader:
    """Reads a fleet's state; needs no right to anything but ConfigMaps."""

    def __init__(
        self, client: KubeClient, namespace: str, fleet: str, *, watched: Watched | None = None
    ) -> None:
        """Take the cluster and the fleet; with `watched`, what has not changed is not read."""
        self.namespace = namespace
        self.fleet = fleet
        self._client = client
        self._watched = watched
        self._known = NOTHING
        self._in_doubt = False

    async def read(self) -> State:
        """Return the remembered state; an empty one where there is none.

        Raises:
            NewerVersionError: a newer version wrote it.
            LostTextsError: objects with parts of it are gone.
            CorruptStateError: it cannot be understood.
            StoreError: it belongs to another fleet.
            KubeError: the cluster does not answer.
        """
        if self._is_current():
            return self._known.state
        remains = None
        for _ in range(_READ_ATTEMPTS):
            found = await self._client.find(CONFIG_MAP, self.namespace, self._head_name)
            if found is None:
                self._known = NOTHING
                return self._known.state
            if found["metadata"]["resourceVersion"] == self._known.version:
                self._in_doubt = False
                return self._known.state
            head = self._head(found)
            shards = await self._shards(head)
            texts = {label: text for shard in shards.values() for label, text in shard.items()}
            texts.update((label_of(text), text) for text in head.texts)
            if len(shards) == len(head.shards):
                # Hashing and checking thousands of entries would hold up everybody else.
                state = await asyncio.to_thread(state_of, head, texts, self._source)
                version = found["metadata"]["resourceVersion"]
                self._known = Known(self._with_rest(state, found), version, shards)
                self._in_doubt = False
                return self._known.state
            # Mostly the head has moved on meanwhile, and left a shard behind.
            shown = decode_shown((found.get("data") or {}).get(SHOWN_KEY, "{}"), self._source)
            remains = Remains(head, texts, shown)
        assert remains is not None  # noqa: S101 - else it would have returned
        raise LostTextsError(self._source, remains)

    def _is_current(self) -> bool:
        """Tell whether a watch shows what is known. After a lost race it may just be behind."""
        return (
            self._watched is not None
            and not self._in_doubt
            and self._watched(CONFIG_MAP, self._head_name) == (self._known.version or None)
        )

    @property
    def _head_name(self) -> str:
        return names.state_object(self.fleet)

    @property
    def _source(self) -> str:
        return f"ConfigMap {self.namespace}/{self._head_name}"

    def _head(self, found: JsonDict) -> Head:
        head = decode_head((found.get("data") or {}).get(HEAD_KEY, ""), self._source)
        if head.fleet != self.fleet:
            raise StoreError(f"{self._source} belongs to the fleet {head.fleet}, not {self.fleet}")
        return head

    def _with_rest(self, state: State, found: JsonDict) -> State:
        """Return the state with what stands beside the head."""
        data = found.get("data") or {}
        shown = decode_shown(data.get(SHOWN_KEY, "{}"), self._source)
        underway = decode_underway(data.get(UNDERWAY_KEY, "{}"), self._source)
        return replace(state, tree=replace(state.tree, shown=shown), underway=underway)

    async def _shards(self, head: Head) -> dict[str, Texts]:
        """Return those shards of a head that are there."""
        shards = {}
        for name in head.shards:
            with suppress(NotFoundError):
                shards[name] = await self._shard(name)
        return shards

    async def _shard(self, name: str) -> Texts:
        known = self._known.shards.get(name)
        if known is not None:
            return known
        found = await self._client.get(CONFIG_MAP, self.namespace, name)
        lines = (found.get("data") or {}).get(TEXTS_KEY, "").split()
        return {label_of(text): text for text in lines}
