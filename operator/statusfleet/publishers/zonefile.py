"""A tree as a zone file in a ConfigMap, for whoever mounts it or carries it to a server.

The file is replaced as a whole, and a server that loads it changes between two queries. Several
servers do not load it at the same moment, though. So where the DNS leads to servers that show the
tree already, the file first gains the new entries and keeps the old root, and the new root is
written when each of these servers has the entries. Where nobody serves the file yet, nothing is
waited for; a DNS that showed the tree and is silent now is waited for, half an hour. Propagated it
is when the DNS shows it.

The serial of the zone is the time of the change (RFC 1982 arithmetic): it rises with every other
difference, be it only a TTL, also when the file before is lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import dns.exception
import dns.rdatatype
import dns.zone

from statusfleet.kube.kinds import CONFIG_MAP, JsonDict
from statusfleet.publishers.authorities import (
    ALL_OF_ZONE,
    FindServers,
    Server,
    read_trees,
    roots_at,
    servers_of_domain,
    text_of,
    verify,
)
from statusfleet.publishers.objects import Objects, Owner, OwnObject
from statusfleet.publishers.sink import (
    RootMovedError,
    SeenTree,
    SinkError,
    Target,
    check_ours,
)
from statusfleet.tree.zone import Zone, ZoneSettings
from statusnode.records.entries import ROOT_PREFIX
from statusnode.records.tree import Link, Root, SignedTree, TreeError

PART: Final = "zone"
_LARGEST: Final = 1_000_000
"""Bytes: an object may have 1 MiB, with its metadata."""
_SERIALS: Final = 1 << 32
_TRUST_SECONDS: Final = 30 * 60
"""How long servers that showed the tree count as its servers, whatever they say."""


@dataclass(frozen=True, slots=True)
class _File:
    """What stands in the ConfigMap: the file, its serial (0: none), its TXT records by name."""

    found: JsonDict | None
    text: str = ""
    serial: int = 0
    texts: Mapping[str, str] = field(default_factory=dict)


class ZoneFileSink:
    """Keeps one ConfigMap with one zone file, key `<domain>.zone` (`Sink`)."""

    def __init__(
        self,
        objects: Objects,
        owner: Owner,
        config_map: str,
        *,
        find_servers: FindServers = servers_of_domain,
        patience_seconds: float = 2.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Take the place, and how long to wait for servers in one go; `now` is unix seconds."""
        self.name = f"zoneFile:{config_map}"
        self._object = OwnObject(objects, owner, CONFIG_MAP, config_map, PART)
        self._find_servers = find_servers
        self._patience_seconds = patience_seconds
        self._now = now
        self._shown_until = 0.0

    def touched(self) -> bool:
        """Whether the watch shows another ConfigMap than ours, or none (`Sink`)."""
        return self._object.touched()

    async def root(self, domain: str) -> str | None:
        """Return the root in the file (`Sink`)."""
        return _root(await self._read(domain), domain)

    async def entries(self, domain: str, labels: Collection[str]) -> Collection[str]:
        """Return what the file holds (`Sink`)."""
        return tuple((await self._read(domain)).texts.values())

    async def prepare(self, target: Target) -> None:
        """Write the entries beside the old root, and see them where it is shown (`Sink`)."""
        domain, texts = target.link.domain, target.zone.texts
        self._check_size(target.settings, texts)
        file = await self._read(domain)
        root = _root(file, domain)
        if root in (None, target.root):
            return
        both = {**file.texts, **texts, domain: root}
        self._check_size(target.settings, both)
        await self._write(file, target.settings, both)
        entries = {name: text for name, text in texts.items() if name != domain}
        servers = await self._showing(target.link)
        patience = self._patience_seconds
        await verify(servers, entries, patience_seconds=patience, remedy=ALL_OF_ZONE)

    async def move(self, target: Target, old: str | None) -> None:
        """Replace the file if its root still is `old` (`Sink`)."""
        domain = target.link.domain
        file = await self._read(domain)
        if _root(file, domain) not in (old, target.root):
            raise RootMovedError(f"another writer has changed {self._object.what}")
        await self._write(file, target.settings, target.zone.texts)

    async def tidy(self, target: Target) -> None:
        """Nothing: what is over left with the file that held it (`Sink`)."""

    async def read_back(self, url: str) -> tuple[SeenTree, ...]:
        """Read the tree from the file, and from each server that the DNS names (`Sink`)."""
        domain = Link.parse(url).domain
        file = await self._read(domain)
        tree = await asyncio.to_thread(SignedTree.parse, url, dict(file.texts))
        try:
            servers = await self._find_servers(domain)
        except SinkError as error:
            raise TreeError(
                f"{self._object.what} holds the tree, and no reader finds it: {error}; have a DNS "
                "server load the file, and delegate the domain to it"
            ) from error
        own = SeenTree(tree.seq, tree.tree.nodes, (), self._object.what)
        found = await read_trees(servers, url)
        self._shown_until = self._now() + _TRUST_SECONDS
        return (own, *found)

    async def withdraw(self, target: Target) -> None:
        """Delete the file (`Sink`)."""
        domain = target.link.domain
        file = await self._read(domain)
        if file.found is None:
            return
        root = _root(file, domain)
        if root is not None:
            check_ours(root, target.link)
        await self._object.delete(file.found)

    async def close(self) -> None:
        """Nothing is held (`Sink`)."""

    async def _read(self, domain: str) -> _File:
        found = await self._object.read()
        text = ((found or {}).get("data") or {}).get(_key(domain), "")
        return await asyncio.to_thread(_parse, found, text, domain)

    async def _write(self, file: _File, settings: ZoneSettings, texts: Mapping[str, str]) -> None:
        """Write the zone, with a higher serial where anything else differs; nothing otherwise."""
        ordered = dict(sorted(texts.items()))
        text = Zone(settings, file.serial, ordered).to_text()
        if text != file.text:
            serial = max(file.serial + 1, int(self._now())) % _SERIALS
            text = Zone(settings, serial, ordered).to_text()
        await self._object.write(file.found, {"data": {_key(settings.domain): text}})

    async def _showing(self, link: Link) -> Sequence[Server]:
        """Return the domain's servers; none while none of them shows a tree of ours.

        Raises:
            SinkError: those that showed it lately cannot be found.
        """
        lately = self._now() < self._shown_until
        try:
            servers = await self._find_servers(link.domain)
        except SinkError:
            if lately:
                raise
            return ()
        if lately:
            return servers
        return servers if any([await _shows(server, link) for server in servers]) else ()

    def _check_size(self, settings: ZoneSettings, texts: Mapping[str, str]) -> None:
        size = len(Zone(settings, _SERIALS - 1, texts).to_text())
        if size > _LARGEST:
            raise SinkError(
                f"the zone file has {size} bytes, and a ConfigMap holds at most {_LARGEST}: "
                "publish to a DNS server instead"
            )


async def _shows(server: Server, link: Link) -> bool:
    """Tell whether a server leads readers to a tree of this key."""
    try:
        roots = [Root.parse(text) for text in await roots_at(server, link.domain)]
    except (SinkError, TreeError):
        return False
    return any(root.is_signed_by(link.public_key) for root in roots)


def _key(domain: str) -> str:
    return f"{domain}.zone"


def _root(file: _File, domain: str) -> str | None:
    text = file.texts.get(domain, "")
    return text if text.startswith(ROOT_PREFIX) else None


def _parse(found: JsonDict | None, text: str, domain: str) -> _File:
    """Return what a file says; nothing where somebody has spoilt it, so that it is written anew."""
    try:
        zone = dns.zone.from_text(text, f"{domain}.", relativize=False)
        serial = zone.get_soa().serial
    except (dns.exception.DNSException, ValueError):
        return _File(found)
    texts = {
        name.to_text(omit_final_dot=True): text_of(rdataset[0])
        for name, rdataset in zone.iterate_rdatasets(dns.rdatatype.TXT)
    }
    return _File(found, text, serial, texts)
