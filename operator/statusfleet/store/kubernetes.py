"""A fleet's memory in its cluster: identities in Secrets, numbers and the tree in ConfigMaps.

    <fleet>-state         the head (`head.py`), moved by compare-and-swap on its resourceVersion;
                          and, under keys of their own, since the fleet's DNS servers read the head
                          and may be of an older version: which sinks show the tree, and what is
                          under way
    <fleet>-state-12-0-…  shards (`texts.py`), written once, never changed

None has an owner, so all outlive the fleet, until `forget`. Errors of the API come through as
`KubeError`, since who tries again wants to know which.

A shard that a head may still come to name must never be deleted. It bears the revision of the head
that it was made for; once the head has reached that revision without naming it, the write it was
made for has lost, or was never sent, and can no longer win. Only then does it go.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from statusfleet.kube import names
from statusfleet.kube.client import KubeClient
from statusfleet.kube.errors import AlreadyExistsError, ForbiddenError, KubeError, NotFoundError
from statusfleet.kube.errors import ConflictError as KubeConflictError
from statusfleet.kube.kinds import CONFIG_MAP, JsonDict
from statusfleet.store.bundle import Bundle, merged
from statusfleet.store.errors import ConflictError, StoreError
from statusfleet.store.head import Head, encode_head, head_of, texts_of
from statusfleet.store.identities import CANARY, TREE, Identities, Watched
from statusfleet.store.reading import (
    HEAD_KEY,
    NOTHING,
    SHOWN_KEY,
    TEXTS_KEY,
    UNDERWAY_KEY,
    Known,
    KubernetesReader,
)
from statusfleet.store.remains import Remains
from statusfleet.store.state import State, Underway, encode_shown, encode_underway, successor
from statusfleet.store.texts import Texts, arrange
from statusnode.crypto.keys import PrivateKey

__all__ = ["KubernetesReader", "KubernetesStore"]

_PART: Final = "state"
_REVISION_LABEL: Final = "statusfleet.io/revision"


class KubernetesStore(KubernetesReader):
    """A fleet's memory, to be written by the leader. One of a fleet at a time in one process.

    What it has once read or written it can write again: with `watched`, an identity, the state or
    a shard that somebody deleted comes back as it was with the next call that asks for it.
    """

    def __init__(
        self, client: KubeClient, namespace: str, fleet: str, *, watched: Watched | None = None
    ) -> None:
        super().__init__(client, namespace, fleet, watched=watched)
        self.identities = Identities(client, namespace, fleet, watched=watched, in_use=self._in_use)
        self.ends = False
        """Whether nothing is kept any more, since the namespace is being deleted."""
        self._swept = False
        self._writing = asyncio.Lock()

    async def read(self) -> State:
        """Return the remembered state, as a reader does; brings back what was deleted of it."""
        async with self._writing:
            return await self._read_or_restore()

    async def write(self, wish: State) -> State:
        """Remember `wish`, which was made from the state of the same revision; return it as kept.

        Raises:
            ConflictError: another write came first.
            SequenceError: a sequence number would fall.
            KubeError: the cluster does not take it.
        """
        async with self._writing:
            if wish.revision != self._known.state.revision:
                await self._read_or_restore()
            return await self._swap(replace(wish, fleet=self.fleet), self._known.shards)

    async def mend(self, remains: Remains, renewed: Mapping[str, str]) -> State:
        """Remember what is left of a torn state, without what is lost; return it as kept.

        `renewed` are records in the place of those members' last ones that are lost.

        Raises:
            ConflictError: the state is another by now.
            CorruptStateError: what is left does not hold together.
            KubeError: the cluster does not take it.
        """
        async with self._writing:
            found = await self._client.find(CONFIG_MAP, self.namespace, self._head_name)
            if found is None or self._head(found) != remains.head:
                raise ConflictError(f"{self._source} was written by somebody else")
            state = await asyncio.to_thread(remains.state, self._source, renewed)
            shards = await self._shards(remains.head)
            version = found["metadata"]["resourceVersion"]
            self._known = Known(self._with_rest(state, found), version, shards)
            try:
                return await self._swap(self._known.state, shards)
            except (KubeError, StoreError):
                self._known = NOTHING  # nothing of it is kept
                raise

    async def ensure_member_key(self, member: str) -> PrivateKey:
        """Return a member's key, made now if it has none.

        Raises:
            CorruptKeyError: its Secret is there and holds no key.
            LostKeyError: its Secret is gone, and a record was signed with the key.
            KubeError: it can neither be read nor be made.
        """
        return await self.identities.ensure(member)

    async def ensure_tree_key(self) -> PrivateKey:
        """Return the key that signs the tree, made now if none; raises as ensure_member_key."""
        return await self.identities.ensure(TREE)

    async def ensure_canary_key(self) -> PrivateKey:
        """Return the canary's key, made now if there is none; raises as ensure_member_key."""
        return await self.identities.ensure(CANARY)

    async def _in_use(self, identity: str) -> bool:
        """Tell whether something was signed with an identity's key."""
        state = await self.read()
        return identity in state.records or (identity == TREE and state.tree.seq > 0)

    async def export(self) -> Bundle:
        """Return who the fleet is, given Secrets that go by a name of ours included.

        Raises:
            CorruptKeyError: a Secret holds no key.
            StoreError: the state cannot be understood.
            KubeError: the cluster does not answer.
        """
        state = await self.read()
        keys = dict(await self.identities.list())
        for identity in {*state.records, TREE, CANARY} - keys.keys():
            key = await self.identities.find(identity)
            if key is not None:
                keys[identity] = key
        return Bundle(self.fleet, keys, state)

    async def adopt(self, bundle: Bundle) -> None:
        """Take over who the fleet was elsewhere: all keys, and the higher number of each.

        Interrupted anywhere, it may be repeated.

        Raises:
            StoreError: it is another fleet's, or an identity has another key here already.
            CorruptKeyError: a Secret is there and holds no key.
            ConflictError: an operator wrote meanwhile.
            KubeError: the cluster does not take it.
        """
        if bundle.fleet != self.fleet:
            raise StoreError(f"these are the identities of {bundle.fleet}, not of {self.fleet}")
        for identity, key in bundle.keys.items():
            self._check(identity, key, await self.identities.find(identity))
        # Numbers first: a key without them would begin anew.
        present = await self.read()
        state = merged(present, bundle.state)
        if state != present:
            await self.write(state)
        for identity, key in bundle.keys.items():
            self._check(identity, key, await self.identities.ensure(identity, key))

    def _check(self, identity: str, brought: PrivateKey, found: PrivateKey | None) -> None:
        if found is not None and found.data != brought.data:
            raise StoreError(
                f"{identity} of {self.namespace}/{self.fleet} has another key already, which is "
                "left alone: delete its Secret first if that identity is not wanted"
            )

    async def forget(self) -> None:
        """Delete all identities that were made here, numbers and tree: for ever.

        Secrets that somebody else made are left alone. May be repeated. Raises KubeError.
        """
        async with self._writing:
            await self.identities.forget()
            for item in await self._parts():
                await self._delete(item)
            self._known, self._swept = NOTHING, False

    async def _read_or_restore(self) -> State:
        before = self._known
        state = await super().read()
        if state.revision < before.state.revision:
            # Deleted, or replaced by an old copy, under our hands: the numbers must not fall.
            found = self._known
            self._known = found._replace(state=before.state)
            try:
                return await self._swap(before.state, found.shards)
            except (KubeError, StoreError):
                self._known = before  # else what was found would pass for what is remembered
                raise
        lost = await self._lost_shards()
        if lost:
            kept = {n: texts for n, texts in self._known.shards.items() if n not in lost}
            return await self._swap(state, kept)
        return state

    async def _lost_shards(self) -> set[str]:
        """Return the shards that somebody deleted; a watch may also just be behind."""
        if self._watched is None:
            return set()
        unseen = {n for n in self._known.shards if self._watched(CONFIG_MAP, n) is None}
        return {n for n in unseen if not await self._client.find(CONFIG_MAP, self.namespace, n)}

    async def _swap(self, wish: State, shards: Mapping[str, Texts]) -> State:
        """Write the state after the known one; `shards` are those of it that are still there."""
        version = self._known.version
        state = successor(self._known.state, wish)
        arrangement = arrange(texts_of(state), shards)
        after = {name: shards[name] for name in arrangement.kept}
        try:
            for place, texts in enumerate(arrangement.new):
                name = f"{self._head_name}-{state.revision}-{place}-{secrets.token_hex(3)}"
                await self._client.create(self._shard_body(name, state.revision, texts))
                after[name] = texts
            head = self._head_body(state, head_of(state, after, arrangement.loose), version)
            kept = await (self._client.replace(head) if version else self._client.create(head))
        except (KubeConflictError, AlreadyExistsError, NotFoundError) as error:
            self._in_doubt = True
            raise ConflictError(f"{self._source} was written by somebody else: {error}") from error
        except ForbiddenError as error:
            if not error.namespace_ends:
                raise
            # Nothing can be kept any more; what is known serves the fleet to its end.
            self._known, self.ends = self._known._replace(state=state), True
            return state
        changed = after.keys() != self._known.shards.keys()
        self._known = Known(state, kept["metadata"]["resourceVersion"], after)
        if changed or not self._swept:
            await self._sweep(state.revision, after)
        return state

    async def _sweep(self, revision: int, named: Mapping[str, Texts]) -> None:
        """Delete the shards that no head names, nor can come to name."""
        for item in await self._parts():
            made_for = item["metadata"]["labels"].get(_REVISION_LABEL, "")
            name = item["metadata"]["name"]
            if made_for.isdecimal() and int(made_for) <= revision and name not in named:
                await self._delete(item)
        self._swept = True

    async def _parts(self) -> list[JsonDict]:
        labels = names.fleet_selector(self.fleet, part=_PART)
        return await self._client.list(
            CONFIG_MAP, self.namespace, labels=labels, metadata_only=True
        )

    async def _delete(self, item: JsonDict) -> None:
        metadata = item["metadata"]
        await self._client.delete(CONFIG_MAP, self.namespace, metadata["name"], uid=metadata["uid"])

    def _shard_body(self, name: str, revision: int, texts: Texts) -> JsonDict:
        labels = names.fleet_labels(self.fleet, part=_PART)
        return {
            "apiVersion": CONFIG_MAP.api_version,
            "kind": CONFIG_MAP.kind,
            "metadata": self._metadata(name, labels | {_REVISION_LABEL: str(revision)}),
            "immutable": True,
            "data": {TEXTS_KEY: "\n".join(texts.values())},
        }

    def _head_body(self, state: State, head: Head, version: str) -> JsonDict:
        metadata = self._metadata(self._head_name, names.fleet_labels(self.fleet, part=_PART))
        data = {HEAD_KEY: encode_head(head)}
        if state.tree.shown:
            data[SHOWN_KEY] = encode_shown(state.tree.shown)
        if state.underway != Underway():
            data[UNDERWAY_KEY] = encode_underway(state.underway)
        return {
            "apiVersion": CONFIG_MAP.api_version,
            "kind": CONFIG_MAP.kind,
            "metadata": metadata | ({"resourceVersion": version} if version else {}),
            "data": data,
        }

    def _metadata(self, name: str, labels: Mapping[str, str]) -> JsonDict:
        return {"namespace": self.namespace, "name": name, "labels": dict(labels)}
