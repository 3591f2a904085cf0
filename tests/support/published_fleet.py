"""A fleet whose tree goes where a test says, into real DNS servers; its memory is a folder."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from statusfleet.api.tree import Sink as SinkSpec
from statusfleet.publishers.authorities import Server
from statusfleet.publishers.build import SinkBuilder
from statusfleet.publishers.objects import Objects, Owner
from statusfleet.reconcile.publishing import TreeKeeper
from statusfleet.reconcile.showing import TreeState
from statusfleet.store import FolderStore
from statusnode.crypto.keys import PrivateKey
from statusnode.discovery.dns import TreeReader
from statusnode.discovery.resolver import DnsResolver, ResolutionError
from statusnode.records.tree import Link
from support.dns_servers import KEY_NAME, SECRET, SPF, ZONE, DnsServer
from support.killed_publisher import DESIRED
from support.kube_objects import FakeObjects
from support.ports import HOST
from support.records import DOMAIN, TREE_KEY, vector_node

URL = str(Link(TREE_KEY.public_key, DOMAIN))
DNS_ENDPOINT = SinkSpec.model_validate({"dnsEndpoint": {}})


def update(address: str, zone: str = ZONE) -> SinkSpec:
    """The sink of a server that takes updates."""
    tsig = {"secretKeyRef": {"name": KEY_NAME, "key": "secret"}}
    document: dict[str, Any] = {"rfc2136": {"server": address, "zone": zone, "tsig": tsig}}
    return SinkSpec.model_validate(document)


class Fleet:
    """A fleet that publishes where its spec says.

    `leads_to` are the servers to which the DNS leads for the tree's domain, `namesakes` other
    fleets that are known to have its URL, `key` signs the tree. Without a `cluster` and a
    namespace of it, the one with the TSIG key is pretended.
    """

    def __init__(
        self,
        folder: Path,
        leads_to: tuple[DnsServer, ...] = (),
        *,
        namesakes: tuple[str, ...] = (),
        key: PrivateKey = TREE_KEY,
        cluster: tuple[Objects, str] | None = None,
    ) -> None:
        self._namesakes = namesakes
        self._key = key
        self.time = 1_700_000_000.0
        self.objects = FakeObjects()
        self.give_key()
        self._cluster = cluster or (self.objects, "status")
        self._leads_to = tuple(Server(HOST, server.port) for server in leads_to)
        self._store = FolderStore.open(folder, "test")
        self.restart()

    def restart(self) -> None:
        """Let another process go on."""
        objects, namespace = self._cluster
        self._builder = SinkBuilder(
            objects, Owner(namespace, "test"), find_servers=self._find_servers
        )
        self.keeper = TreeKeeper(
            self._store,
            (),
            lambda: self.time,
            reach=self._builder.again,
            namesakes=lambda _url: self._namesakes,
        )

    async def _find_servers(self, _domain: str) -> tuple[Server, ...]:
        return self._leads_to

    def give_key(self) -> None:
        data = {"secret": base64.b64encode(SECRET.encode()).decode()}
        metadata = {"namespace": "status", "name": KEY_NAME}
        self.objects.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})

    def lose_key(self) -> None:
        del self.objects.objects["Secret", "status", KEY_NAME]

    async def use(self, *specs: SinkSpec) -> None:
        await self.keeper.recall()
        values = {(KEY_NAME, "secret"): SecretStr(SECRET)}
        await self.keeper.use(self._builder.build(specs, values), specs)

    async def publish(
        self, *specs: SinkSpec, nodes: range = range(20), domain: str = DOMAIN
    ) -> TreeState:
        """Publish to these places and let go of others, as a pass does."""
        await self.use(*specs)
        desired = replace(DESIRED, domain=domain)
        records = [vector_node(number) for number in nodes]
        state = await self.keeper.publish(desired, records, self._key)
        taken, _ = await self.keeper.let_go(keep=False)
        if taken:
            state = await self.keeper.publish(desired, records, self._key)
        return state

    async def again(self) -> None:
        """Let go once more, when it said that it would."""
        assert self.keeper.let_go_at is not None
        self.time = self.keeper.let_go_at
        await self.keeper.let_go(keep=False)

    @property
    def names(self) -> list[str]:
        """The names of all entries that were published and not forgotten."""
        publication = self.keeper.publication
        assert publication is not None
        return [name for name in publication.records() if name != DOMAIN]


async def walked(server: DnsServer) -> int:
    """Walk the tree, whole; return how many nodes it has."""
    reading = await TreeReader(DnsResolver((HOST, server.port), 20)).read(URL)
    assert reading.problems == ()
    return len(reading.nodes)


async def texts(server: DnsServer, name: str) -> set[str]:
    try:
        return set(await DnsResolver((HOST, server.port)).texts(name))
    except ResolutionError:
        return set()


async def emptied(server: DnsServer, names: list[str]) -> bool:
    """Tell whether only what others wrote is left."""
    left = [name for name in names if await texts(server, name)]
    others = await texts(server, f"other.{ZONE}") == {"somebody else's"}
    return not left and others and await texts(server, DOMAIN) == {SPF}
