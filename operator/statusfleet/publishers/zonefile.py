"""A tree as a zone file in a ConfigMap, for whoever mounts it or carries it to a server.

The file is replaced as a whole, so it never holds a root without its entries. What becomes of it
afterwards nobody tells us: it counts as propagated when the file reads back as the whole tree.
"""

from __future__ import annotations

import asyncio
from typing import Final

import dns.exception
import dns.rdatatype
import dns.zone

from statusfleet.kube.kinds import CONFIG_MAP, JsonDict
from statusfleet.publishers.authorities import text_of
from statusfleet.publishers.objects import Objects, Owner, OwnObject
from statusfleet.publishers.sink import (
    RootMovedError,
    SeenTree,
    SinkError,
    Target,
    check_ours,
)
from statusnode.records.entries import ROOT_PREFIX
from statusnode.records.tree import Link, SignedTree

PART: Final = "zone"
_LARGEST: Final = 1_000_000
"""Bytes: an object may have 1 MiB, with its metadata."""


class ZoneFileSink:
    """Keeps one ConfigMap with one zone file, key `<domain>.zone` (`Sink`)."""

    def __init__(self, objects: Objects, owner: Owner, config_map: str) -> None:
        self.name = f"zoneFile:{config_map}"
        self._object = OwnObject(objects, owner, CONFIG_MAP, config_map, PART)

    async def root(self, domain: str) -> str | None:
        """Return the root in the file (`Sink`)."""
        found = await self._object.read()
        return _root(_texts(found, domain), domain)

    async def prepare(self, target: Target) -> None:
        """See that the file can be written at all (`Sink`)."""
        size = len(target.zone.to_text())
        if size > _LARGEST:
            raise SinkError(
                f"the zone file has {size} bytes, and a ConfigMap holds at most {_LARGEST}: "
                "publish to a DNS server instead"
            )

    async def move(self, target: Target, old: str | None) -> None:
        """Replace the file if its root still is `old` (`Sink`)."""
        domain = target.link.domain
        found = await self._object.read()
        if _root(_texts(found, domain), domain) not in (old, target.root):
            raise RootMovedError(f"another writer has changed {self._object.what}")
        await self._object.write(found, {"data": {_key(domain): target.zone.to_text()}})

    async def tidy(self, target: Target) -> None:
        """Nothing: what is over left with the file that held it (`Sink`)."""

    async def read_back(self, url: str) -> tuple[SeenTree, ...]:
        """Read the tree from the file (`Sink`)."""
        domain = Link.parse(url).domain
        texts = _texts(await self._object.read(), domain)
        tree = await asyncio.to_thread(SignedTree.parse, url, texts)
        return (SeenTree(tree.seq, tree.tree.nodes, (), self._object.what),)

    async def withdraw(self, target: Target) -> None:
        """Delete the file (`Sink`)."""
        domain = target.link.domain
        found = await self._object.read()
        if found is None:
            return
        root = _root(_texts(found, domain), domain)
        if root is not None:
            check_ours(root, target.link)
        await self._object.delete(found)

    async def close(self) -> None:
        """Nothing is held (`Sink`)."""


def _key(domain: str) -> str:
    return f"{domain}.zone"


def _root(texts: dict[str, str], domain: str) -> str | None:
    text = texts.get(domain, "")
    return text if text.startswith(ROOT_PREFIX) else None


def _texts(found: JsonDict | None, domain: str) -> dict[str, str]:
    """Return the TXT records of the file by full name; none where it cannot be read."""
    file = ((found or {}).get("data") or {}).get(_key(domain), "")
    if not file:
        return {}
    try:
        zone = dns.zone.from_text(file, f"{domain}.", relativize=False, check_origin=False)
    except (dns.exception.DNSException, ValueError):
        return {}  # somebody has spoilt the file, which is ours: it is written anew
    return {
        name.to_text(omit_final_dot=True): text_of(rdataset[0])
        for name, rdataset in zone.iterate_rdatasets(dns.rdatatype.TXT)
    }
