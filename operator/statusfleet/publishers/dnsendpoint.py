"""A tree as DNSEndpoint objects (externaldns.k8s.io/v1alpha1), for ExternalDNS to publish.

ExternalDNS keeps no order between records, so entries stand in objects of their own, and the object
with the root is written only when the DNS gives every entry as it was written: a provider that
spoils long TXT records (they have up to 404 characters, and strings in the DNS 255) is found out
before anybody reads a tree that it broke. Texts are quoted, as ExternalDNS's own are, because a
root has spaces.

Some providers of ExternalDNS cannot replace a text with spaces, and leave the old root beside the
new one (its rfc2136 does, as of 0.20). So while a server shows another root than ours, or several,
no entry is taken away, and while it shows several no root is moved.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Final

from statusfleet.kube.errors import NotFoundError
from statusfleet.kube.kinds import DNS_ENDPOINT, JsonDict
from statusfleet.kube.names import FLEET_LABEL, PART_LABEL
from statusfleet.publishers.authorities import (
    ALL_OF_ZONE,
    FindServers,
    Server,
    read_trees,
    roots_at,
    servers_of_domain,
    texts_at,
    verify,
)
from statusfleet.publishers.objects import Objects, Owner, OwnObject, told
from statusfleet.publishers.sink import (
    RootMovedError,
    SeenTree,
    SinkError,
    Target,
    check_ours,
)
from statusnode.records.tree import Link, Root, TreeError

ENTRIES_PART: Final = "dns-entries"
ROOT_PART: Final = "dns-root"
_MOST_ENTRIES: Final = 1000
"""In one object: half a megabyte."""
_DIGITS: Final = "abcdefghijklmnopqrstuvwxyz234567"


class MissingKindError(SinkError):
    """The cluster does not know what a DNSEndpoint is."""


class DnsEndpointSink:
    """Keeps the DNSEndpoint objects of one fleet (`Sink`)."""

    name = "dnsEndpoint"

    def __init__(
        self,
        objects: Objects,
        owner: Owner,
        *,
        find_servers: FindServers = servers_of_domain,
        patience_seconds: float = 2.0,
    ) -> None:
        """Take the place, and how long to wait for the DNS in one go (ExternalDNS looks each
        minute, so mostly the answer is found by a later one).
        """
        self._objects = objects
        self._owner = owner
        self._find_servers = find_servers
        self._patience_seconds = patience_seconds
        self._root = OwnObject(objects, owner, DNS_ENDPOINT, f"{owner.fleet}-tree-root", ROOT_PART)
        self._entries: dict[str, OwnObject] = {}
        """Those that were seen or written, by name."""

    def touched(self) -> bool:
        """Whether the watch shows other objects than ours, or lacks one (`Sink`)."""
        # Each is asked, since it remembers what it was shown.
        touched = [own.touched() for own in (self._root, *self._entries.values())]
        return any(touched)

    async def is_there(self) -> bool:
        """Tell whether the fleet has such objects; raises SinkError."""
        try:
            return bool(await self._shards()) or await self._root.read() is not None
        except MissingKindError:
            return False

    async def root(self, domain: str) -> str | None:
        """Return the root in its object; where there is no object, the one in the DNS (`Sink`).

        Without the kind there is none.
        """
        found = await self._root.read()
        if found is not None:
            return _texts(found).get(domain)
        try:
            await self._shards()
            servers = await self._find_servers(domain)
        except SinkError:
            return None  # said when something is to be published
        await _check_roots(servers, domain)
        roots = [root for server in servers for root in await roots_at(server, domain)]
        return roots[0] if roots else None

    async def entries(self, domain: str, labels: Collection[str]) -> Collection[str]:
        """Return what the objects hold; where there are none, what is in the DNS (`Sink`)."""
        shards = (await self._shards()).values()
        if shards:
            return [text for found in shards for text in _texts(found).values()]
        names = [f"{label}.{domain}" for label in labels]
        server, *_ = await self._find_servers(domain)
        return [text for texts in (await texts_at(server, names)).values() for text in texts]

    async def prepare(self, target: Target) -> None:
        """Write the objects with the entries, and see them in the DNS (`Sink`)."""
        wanted = {n: text for n, text in target.zone.texts.items() if n != target.link.domain}
        present = await self._shards()
        for name, texts in _arranged(self._owner.fleet, wanted).items():
            found = present.get(name)
            await self._write(target, name, found, _texts(found) | texts)
        servers = await self._find_servers(target.link.domain)
        patience = self._patience_seconds
        await verify(servers, wanted, patience_seconds=patience, remedy=ALL_OF_ZONE)
        await _check_roots(servers, target.link.domain)

    async def move(self, target: Target, old: str | None) -> None:
        """Write the object with the root, if it still holds `old` (`Sink`)."""
        domain = target.link.domain
        found = await self._root.read()
        if found is not None and _texts(found).get(domain) not in (old, target.root):
            raise RootMovedError(f"another writer has changed {self._root.what}")
        ttl = target.settings.root_ttl_seconds
        await self._root.write(found, _content({domain: target.root}, ttl))

    async def tidy(self, target: Target) -> None:
        """Leave in the objects what is wanted, once no other root leads to the rest (`Sink`)."""
        wanted = {n: text for n, text in target.zone.texts.items() if n != target.link.domain}
        arranged = _arranged(self._owner.fleet, wanted)
        shards = await self._shards()
        stale = any(_texts(found).keys() - wanted.keys() for found in shards.values())
        if stale and not await self._is_alone(target):
            return  # looked at again with the next change, or in a while
        for name, found in shards.items():
            if name in arranged:
                await self._write(target, name, found, arranged[name])
            else:
                await self._delete(name, found)

    async def read_back(self, url: str) -> tuple[SeenTree, ...]:
        """Read the tree from each server that the DNS names for its domain (`Sink`)."""
        domain = Link.parse(url).domain
        try:
            servers = await self._find_servers(domain)
            await _check_roots(servers, domain)
            root = _texts(await self._root.read()).get(domain, "")
        except SinkError as error:
            raise TreeError(str(error)) from error
        wanted = Root.parse(root).seq
        return tuple(self._judged(tree, wanted) for tree in await read_trees(servers, url))

    def _judged(self, tree: SeenTree, wanted: int) -> SeenTree:
        """Say of a tree why it is the one before, if it is."""
        if tree.seq >= wanted:
            return tree
        text = (
            f"gives number {tree.seq}, {self._root.what} has {wanted}: ExternalDNS has not written "
            "it yet; it does only with --managed-record-types=TXT and --registry=noop"
        )
        return replace(tree, complaints=(text,))

    async def _is_alone(self, target: Target) -> bool:
        """Tell whether every server shows our root and no other."""
        domain = target.link.domain
        try:
            servers = await self._find_servers(domain)
            return all([await roots_at(server, domain) == [target.root] for server in servers])
        except SinkError:
            return False

    async def withdraw(self, target: Target) -> None:
        """Delete the root's object, then the others; without the kind there are none (`Sink`)."""
        try:
            shards = await self._shards()
        except MissingKindError:
            return
        found = await self._root.read()
        if found is not None:
            root = _texts(found).get(target.link.domain)
            if root is not None:
                check_ours(root, target.link)
            await self._root.delete(found)
        for name, shard in shards.items():
            await self._delete(name, shard)

    async def close(self) -> None:
        """Nothing is held (`Sink`)."""

    async def _shards(self) -> dict[str, JsonDict]:
        labels = {FLEET_LABEL: self._owner.fleet, PART_LABEL: ENTRIES_PART}
        with told("the DNSEndpoint objects"):
            try:
                found = await self._objects.list(DNS_ENDPOINT, self._owner.namespace, labels=labels)
            except NotFoundError as error:
                self._entries = {}
                raise MissingKindError(
                    "this cluster has no kind DNSEndpoint: install ExternalDNS with its CRD"
                ) from error
        shards = {item["metadata"]["name"]: item for item in found}
        self._entries = {name: self._object(name) for name in shards}
        for name, item in shards.items():
            self._entries[name].know(item)
        return shards

    async def _write(
        self, target: Target, name: str, found: JsonDict | None, texts: Mapping[str, str]
    ) -> None:
        content = _content(texts, target.settings.entry_ttl_seconds)
        await self._object(name).write(found, content)

    async def _delete(self, name: str, found: JsonDict) -> None:
        await self._object(name).delete(found)
        del self._entries[name]

    def _object(self, name: str) -> OwnObject:
        made = OwnObject(self._objects, self._owner, DNS_ENDPOINT, name, ENTRIES_PART)
        return self._entries.setdefault(name, made)


async def _check_roots(servers: Iterable[Server], domain: str) -> None:
    """Raise SinkError where a server shows several roots, or does not answer."""
    for server in servers:
        roots = await roots_at(server, domain)
        if len(roots) > 1:
            raise SinkError(
                f"{server} shows {len(roots)} roots at {domain}, and readers take any: this "
                "provider of ExternalDNS does not replace texts with spaces; the root is not "
                "moved. Remove the old ones, and publish by the sink rfc2136 or another provider"
            )


def _arranged(fleet: str, texts: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Cut entries into objects by the beginning of their labels: few change when a few do."""
    digits = math.ceil(math.log(max(len(texts) / _MOST_ENTRIES, 1), len(_DIGITS)))
    arranged: dict[str, dict[str, str]] = {}
    for name, text in texts.items():
        prefix = name[:digits].lower()
        shard = f"{fleet}-tree-entries-{prefix}" if prefix else f"{fleet}-tree-entries"
        arranged.setdefault(shard, {})[name] = text
    return arranged


def _content(texts: Mapping[str, str], ttl: int) -> JsonDict:
    return {"spec": {"endpoints": [_endpoint(name, texts[name], ttl) for name in sorted(texts)]}}


def _endpoint(name: str, text: str, ttl: int) -> JsonDict:
    return {"dnsName": name, "recordType": "TXT", "recordTTL": ttl, "targets": [f'"{text}"']}


def _texts(found: JsonDict | None) -> dict[str, str]:
    endpoints: Iterable[JsonDict] = ((found or {}).get("spec") or {}).get("endpoints") or ()
    return {
        endpoint["dnsName"]: (endpoint.get("targets") or [""])[0].strip('"')
        for endpoint in endpoints
    }
