"""The fleet's own DNS servers on a cluster, seen from the operator.

The servers read entries from the fleet's memory (`store.kubernetes`) and the root to serve from one
ConfigMap, `<fleet>-dns`, which this sink moves by compare-and-swap (`dns_follower` is the other
side). So all of them have the new entries before any has the new root: the ConfigMap's change tells
them to look, each is asked, and only then the root in it changes. Those that are not ready get no
queries from the Service, and are not waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final

from pydantic import TypeAdapter

from statusfleet.kube.kinds import CONFIG_MAP, ENDPOINT_SLICE, JsonDict
from statusfleet.kube.names import dns_object
from statusfleet.publishers.authorities import Server, read_trees, texts_at, verify
from statusfleet.publishers.objects import Objects, Owner, OwnObject, told
from statusfleet.publishers.sink import (
    LaggingError,
    RootMovedError,
    SeenTree,
    SinkError,
    Target,
    check_ours,
)
from statusfleet.tree.zone import ZoneSettings
from statusnode.records.tree import Link, Root, TreeError

PART: Final = "dns"
ROOT_KEY: Final = "root"
SETTINGS_KEY: Final = "settings.json"
SETTINGS: Final = TypeAdapter(ZoneSettings)
_SERVICE_LABEL: Final = "kubernetes.io/service-name"
_POLL_SECONDS: Final = 0.1


class ClusterDnsSink:
    """Tells the DNS servers of one fleet what to serve, and asks them (`Sink`)."""

    name = "embedded"

    def __init__(self, objects: Objects, owner: Owner, *, patience_seconds: float = 5.0) -> None:
        """Take the place, and how long to wait for the servers in one go."""
        self._objects = objects
        self._owner = owner
        self._patience_seconds = patience_seconds
        self._object = OwnObject(objects, owner, CONFIG_MAP, dns_object(owner.fleet), PART)

    def touched(self) -> bool:
        """Whether the watch shows another ConfigMap than ours, or none (`Sink`)."""
        return self._object.touched()

    async def root(self, domain: str) -> str | None:
        """Return the root that the servers are told to serve (`Sink`)."""
        return _root(await self._object.read())

    async def entries(self, domain: str, labels: Collection[str]) -> Collection[str]:
        """Return what the servers have at these labels (`Sink`)."""
        names = [f"{label}.{domain}" for label in labels]
        found = [await texts_at(server, names) for server in await self._servers()]
        return {text for one in found for texts in one.values() for text in texts}

    async def prepare(self, target: Target) -> None:
        """Have the servers look for the entries, and see them at each (`Sink`)."""
        found = await self._object.read()
        await self._object.write(found, _content(target, _root(found)))
        entries = {n: text for n, text in target.zone.texts.items() if n != target.link.domain}
        await verify(await self._servers(), entries, patience_seconds=self._patience_seconds)

    async def move(self, target: Target, old: str | None) -> None:
        """Have the servers serve the root, if it still is `old` (`Sink`)."""
        found = await self._object.read()
        if _root(found) not in (old, target.root):
            raise RootMovedError(f"another writer has changed {self._object.what}")
        await self._object.write(found, _content(target, target.root))

    async def tidy(self, target: Target) -> None:
        """Nothing: what the memory forgets the servers forget (`Sink`)."""

    async def read_back(self, url: str) -> tuple[SeenTree, ...]:
        """Read the tree from each server, as soon as it has the root (`Sink`)."""
        domain = Link.parse(url).domain
        try:
            root = _root(await self._object.read())
            servers = await self._servers()
            for server in servers:
                await self._wait(server, domain, root)
        except SinkError as error:
            raise TreeError(str(error)) from error
        return await read_trees(servers, url)

    async def withdraw(self, target: Target) -> None:
        """Have the servers serve nothing (`Sink`)."""
        found = await self._object.read()
        if found is None:
            return
        root = _root(found)
        if root is not None:
            check_ours(root, target.link)
        await self._object.delete(found)

    async def close(self) -> None:
        """Nothing is held (`Sink`)."""

    async def _wait(self, server: Server, domain: str, root: str | None) -> None:
        """Wait until a server serves the root that it was told of."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_seconds
        while (await texts_at(server, [domain]))[domain] != (root,):
            if loop.time() > deadline:
                raise LaggingError(f"{server} does not serve the new root yet")
            await asyncio.sleep(_POLL_SECONDS)

    async def _servers(self) -> tuple[Server, ...]:
        """Return the servers that the Service sends queries to.

        Raises:
            LaggingError: there are none.
        """
        service = dns_object(self._owner.fleet)
        with told(f"the servers of {service}"):
            slices = await self._objects.list(
                ENDPOINT_SLICE, self._owner.namespace, labels={_SERVICE_LABEL: service}
            )
        found = {server for item in slices for server in _ready(item)}
        if not found:
            raise LaggingError(f"no DNS server of the fleet is ready: see Deployment {service}")
        return tuple(sorted(found))


def _ready(endpoint_slice: JsonDict) -> list[Server]:
    ports = [p["port"] for p in endpoint_slice.get("ports") or () if p.get("protocol") == "TCP"]
    return [
        Server(address, port, (endpoint.get("targetRef") or {}).get("name", ""))
        for endpoint in endpoint_slice.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready", True)
        for address in endpoint["addresses"]
        for port in ports
    ]


def _root(found: JsonDict | None) -> str | None:
    """Return the root; what is none, in an object of ours, somebody has spoilt."""
    text: str = ((found or {}).get("data") or {}).get(ROOT_KEY, "")
    try:
        Root.parse(text)
    except TreeError:
        return None
    return text


def _content(target: Target, root: str | None) -> JsonDict:
    """Say what to serve; the number that is being prepared makes the servers look."""
    data = {
        "url": target.publication.tree.url,
        "preparing": str(target.publication.tree.seq),
        SETTINGS_KEY: SETTINGS.dump_json(target.settings, indent=2).decode(),
    }
    return {"data": data | ({ROOT_KEY: root} if root else {})}
