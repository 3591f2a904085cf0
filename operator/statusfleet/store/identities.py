"""A fleet's identities in Secrets of its cluster: made once, never overwritten, never shown.

    <fleet>-relayer-0   key nodekey: a member's identity
    <fleet>-canary      key nodekey
    <fleet>-tree        key signingkey: signs the tree, unless the spec names another Secret

A Secret that is already there is taken as it is, whoever made it. Ours are immutable, so that
nobody changes an identity by an edit, and have no owner, so that they outlive the fleet. One that
is gone, and by whose key others know a member or the tree, is not made anew: it is asked for.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from statusfleet.kube import names
from statusfleet.kube.client import KubeClient
from statusfleet.kube.errors import AlreadyExistsError
from statusfleet.kube.kinds import SECRET, JsonDict, Kind
from statusfleet.store.errors import CorruptKeyError, LostKeyError, StoreError
from statusnode.crypto.keys import KeyFormatError, PrivateKey

Watched = Callable[[Kind, str], str | None]
"""Tells from a watch the resourceVersion of an object of the fleet's namespace, None: not there."""
InUse = Callable[[str], Awaitable[bool]]
"""Tells whether others may know an identity already by its key."""

TREE: Final = "tree"
CANARY: Final = "canary"
"""The identities besides those of members, which go by the member's name, such as relayer-0."""
_PART: Final = "identity"
_MEMBER: Final = re.compile(r"(bootstrap|relayer|rendezvous|mailserver)-(0|[1-9][0-9]{0,5})")


class _Key(NamedTuple):
    """An identity as it was last read, and its Secret's resourceVersion."""

    key: PrivateKey
    version: str


class _Place(NamedTuple):
    """Where an identity is kept."""

    secret: str
    entry: str
    labels: Mapping[str, str]


async def _nobody(_identity: str) -> bool:
    return False


class Identities:
    """The identities of one fleet.

    With `watched`, a Secret is read again only when it has changed, and one that somebody deleted
    comes back with the key it had. Without, every call reads.
    """

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        fleet: str,
        *,
        watched: Watched | None = None,
        in_use: InUse = _nobody,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._fleet = fleet
        self._in_use = in_use
        self._watched = watched
        self._known: dict[str, _Key] = {}
        self._listed = False
        self._listing = asyncio.Lock()

    async def ensure(self, identity: str, given: PrivateKey | None = None) -> PrivateKey:
        """Return the key of a member, `TREE` or `CANARY`; if it has none, `given` or a new one.

        Raises:
            CorruptKeyError: its Secret is there and holds no key.
            LostKeyError: its Secret is gone, and others know it by the key.
            StoreError: `identity` is none of these.
            KubeError: it can neither be read nor be made.
        """
        place = self._place(identity)
        await self._list_once()
        known = self._known.get(identity)
        if known is not None and self._is_unchanged(place, known):
            return known.key
        found = None
        if known is not None or not self._is_unseen(place):
            found = await self._client.find(SECRET, self._namespace, place.secret)
        if found is None:
            given = known.key if known is not None else given
            found = await (self._made(place, given) if given else self._first(identity, place))
        parsed = self._parsed(found, place)
        self._known[identity] = parsed
        return parsed.key

    async def _first(self, identity: str, place: _Place) -> JsonDict:
        """Return a Secret with a new key, unless there was one before that others rely on."""
        if await self._in_use(identity):
            # A watch may be behind, and shows no Secret that somebody made without our labels.
            found = await self._client.find(SECRET, self._namespace, place.secret)
            if found is None:
                raise LostKeyError(self._lost(place))
            return found
        return await self._made(place, PrivateKey.generate())

    def _lost(self, place: _Place) -> str:
        made = f"kubectl create secret generic {place.secret} -n {self._namespace}"
        return (
            f"Secret {self._namespace}/{place.secret} with its key is gone, and a new key would be "
            "another identity: bring it back from a copy (statusfleet identities import), name the "
            "Secret again that the manifest had for it, or "
            f"choose a new one ({made} --from-literal={place.entry}=64-HEX-DIGITS)"
        )

    async def find(self, identity: str) -> PrivateKey | None:
        """Return a key, None where there is none; raises as `ensure`."""
        place = self._place(identity)
        found = await self._client.find(SECRET, self._namespace, place.secret)
        return None if found is None else self._parsed(found, place).key

    async def list(self) -> dict[str, PrivateKey]:
        """Return every identity that was made here, by member's name, `TREE` or `CANARY`.

        Raises:
            CorruptKeyError: a Secret holds no key.
            KubeError: the cluster does not answer.
        """
        kept = await self._kept()
        return {name: self._parsed(secret, self._place(name)).key for name, secret in kept}

    async def _kept(self, *, metadata_only: bool = False) -> Sequence[tuple[str, JsonDict]]:
        """Return the Secrets that were made here, each with its identity.

        A copy that somebody made under another name bears their labels too, and is none of them.
        """
        labels = names.fleet_selector(self._fleet, part=_PART)
        found = await self._client.list(
            SECRET, self._namespace, labels=labels, metadata_only=metadata_only
        )
        named = [(self._identity(secret["metadata"]["name"]), secret) for secret in found]
        return [(identity, secret) for identity, secret in named if identity]

    def _identity(self, secret: str) -> str:
        """Return whose key a Secret of that name holds, "" for nobody's."""
        prefix = f"{self._fleet}-"
        identity = secret.removeprefix(prefix) if secret.startswith(prefix) else ""
        known = identity in (TREE, CANARY) or _MEMBER.fullmatch(identity)
        return identity if known else ""

    async def forget(self) -> None:
        """Delete all identities that were made here, for ever; those of others are left alone.

        May be repeated. Raises KubeError.
        """
        for _, item in await self._kept(metadata_only=True):
            metadata = item["metadata"]
            await self._client.delete(
                SECRET, self._namespace, metadata["name"], uid=metadata["uid"]
            )
        self._known.clear()

    def _is_unchanged(self, place: _Place, known: _Key) -> bool:
        return self._watched is not None and self._watched(SECRET, place.secret) == known.version

    def _is_unseen(self, place: _Place) -> bool:
        return self._watched is not None and self._watched(SECRET, place.secret) is None

    async def _list_once(self) -> None:
        """Learn the keys that are there by one request instead of one for each."""
        if self._watched is None:
            return
        async with self._listing:
            if not self._listed:
                for identity, secret in await self._kept():
                    with suppress(CorruptKeyError):  # told to whoever asks for that one
                        self._known[identity] = self._parsed(secret, self._place(identity))
                self._listed = True

    async def _made(self, place: _Place, key: PrivateKey) -> JsonDict:
        try:
            return await self._client.create(self._body(place, key))
        except AlreadyExistsError:
            return await self._client.get(SECRET, self._namespace, place.secret)

    def _parsed(self, secret: JsonDict, place: _Place) -> _Key:
        version = secret["metadata"]["resourceVersion"]
        encoded = (secret.get("data") or {}).get(place.entry, "")
        try:
            text = base64.b64decode(encoded, validate=True).decode("ascii")
            return _Key(PrivateKey.from_hex(text), version)
        except (KeyFormatError, UnicodeDecodeError, binascii.Error):
            raise CorruptKeyError(
                f"key {place.entry} of Secret {self._namespace}/{place.secret} is no key (64 hex "
                "digits); it is not replaced, since the identity would be lost: bring it back "
                "from a copy, or delete the Secret for a new identity"
            ) from None

    def _body(self, place: _Place, key: PrivateKey) -> JsonDict:
        encoded = base64.b64encode(key.data.hex().encode()).decode()
        return {
            "apiVersion": SECRET.api_version,
            "kind": SECRET.kind,
            "metadata": {
                "namespace": self._namespace,
                "name": place.secret,
                "labels": dict(place.labels),
            },
            "immutable": True,
            "data": {place.entry: encoded},
        }

    def _place(self, identity: str) -> _Place:
        fleet = self._fleet
        labels = names.fleet_labels(fleet, part=_PART)
        if identity == TREE:
            return _Place(names.tree_secret(fleet), names.TREE_KEY, labels)
        if identity == CANARY:
            return _Place(names.canary_object(fleet), names.NODE_KEY, labels)
        if not _MEMBER.fullmatch(identity):
            raise StoreError(f"{identity!r} is no member's name, such as relayer-0")
        role, _, ordinal = identity.rpartition("-")
        labels |= names.member_labels(fleet, role, int(ordinal))
        return _Place(names.member_object(fleet, identity), names.NODE_KEY, labels)
