"""A tree moves from one BIND to another: what the former one has is taken back."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from statusfleet.api.tree import Sink as SinkSpec
from statusfleet.publishers import build
from statusfleet.publishers.authorities import Server, addresses
from statusfleet.publishers.build import SinkBuilder
from statusfleet.publishers.objects import Owner
from statusfleet.publishers.sink import SinkError
from statusfleet.reconcile.publishing import TreeKeeper
from statusfleet.store import FolderStore
from statusnode.discovery.dns import TreeReader
from statusnode.discovery.resolver import DnsResolver, ResolutionError
from statusnode.records.tree import Link
from support.dns_servers import KEY_NAME, SECRET, SPF, ZONE, DnsServer, bind
from support.killed_publisher import DESIRED
from support.kube_objects import FakeObjects
from support.ports import HOST
from support.records import DOMAIN, TREE_KEY, vector_node

URL = str(Link(TREE_KEY.public_key, DOMAIN))


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[DnsServer, DnsServer]]:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with bind(tmp_path / "one") as one, bind(tmp_path / "two") as two:
        yield one, two


def spec(address: str) -> SinkSpec:
    tsig = {"secretKeyRef": {"name": KEY_NAME, "key": "secret"}}
    document: dict[str, Any] = {"rfc2136": {"server": address, "zone": ZONE, "tsig": tsig}}
    return SinkSpec.model_validate(document)


class Fleet:
    """A fleet that publishes where its spec says; the TSIG key is in a pretended cluster."""

    def __init__(self, folder: Path) -> None:
        self.time = 1_700_000_000.0
        self.objects = FakeObjects()
        self.give_key()
        self._store = FolderStore.open(folder, "test")
        self.restart()

    def restart(self) -> None:
        self._builder = SinkBuilder(self.objects, Owner("status", "test"))
        self.keeper = TreeKeeper(self._store, (), lambda: self.time, reach=self._builder.again)

    def give_key(self) -> None:
        data = {"secret": base64.b64encode(SECRET.encode()).decode()}
        metadata = {"namespace": "status", "name": KEY_NAME}
        self.objects.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})

    def lose_key(self) -> None:
        del self.objects.objects["Secret", "status", KEY_NAME]

    async def use(self, *addresses: str) -> None:
        await self.keeper.recall()
        specs = [spec(address) for address in addresses]
        values = {(KEY_NAME, "secret"): SecretStr(SECRET)}
        self.keeper.use(self._builder.build(specs, values), specs)

    async def publish(self, *addresses: str, nodes: range = range(20)) -> bool | None:
        """Publish to these servers and let go of others; return whether that could be read."""
        await self.use(*addresses)
        records = [vector_node(number) for number in nodes]
        state = await self.keeper.publish(DESIRED, records, TREE_KEY)
        await self.keeper.let_go(keep=False)
        return state.propagated

    async def again(self) -> None:
        """Let go once more, when it said that it would."""
        assert self.keeper.let_go_at is not None
        self.time = self.keeper.let_go_at
        await self.keeper.let_go(keep=False)


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


async def names_of(fleet: Fleet) -> list[str]:
    publication = fleet.keeper.publication
    assert publication is not None
    return [name for name in publication.records() if name != DOMAIN]


async def emptied(server: DnsServer, names: list[str]) -> bool:
    """Tell whether only what others wrote is left."""
    left = [name for name in names if await texts(server, name)]
    others = await texts(server, f"other.{ZONE}") == {"somebody else's"}
    return not left and others and await texts(server, DOMAIN) == {SPF}


async def test_a_tree_that_moved_while_the_operator_was_away_leaves_nothing_behind(
    servers: tuple[DnsServer, DnsServer], tmp_path: Path
) -> None:
    one, two = servers
    fleet = Fleet(tmp_path / "memory")
    assert await fleet.publish(one.address)
    fleet.restart()
    assert await fleet.publish(two.address, nodes=range(5, 25))
    assert await emptied(one, await names_of(fleet))
    assert await walked(two) == 20
    assert fleet.keeper.leftovers == {}


async def test_a_server_that_is_away_or_a_key_that_is_gone_is_told_and_tried_again(
    servers: tuple[DnsServer, DnsServer], tmp_path: Path
) -> None:
    one, two = servers
    fleet = Fleet(tmp_path / "memory")
    assert await fleet.publish(one.address, two.address)
    former = spec(one.address).name
    with one.silent():
        assert await fleet.publish(two.address, nodes=range(15))  # the other is not held up
        assert "does not answer" in fleet.keeper.leftovers[former]
    fleet.lose_key()
    await fleet.again()
    assert f"Secret {KEY_NAME}, which is not there" in fleet.keeper.leftovers[former]
    assert await walked(one) == 20
    assert await walked(two) == 15
    fleet.restart()
    fleet.give_key()
    assert await fleet.publish(two.address, nodes=range(15))
    assert fleet.keeper.leftovers == {}
    assert await emptied(one, await names_of(fleet))
    assert await walked(two) == 15


async def test_a_server_that_gets_another_name_keeps_its_tree(
    servers: tuple[DnsServer, DnsServer], tmp_path: Path
) -> None:
    one, _ = servers
    fleet = Fleet(tmp_path / "memory")
    assert await fleet.publish(one.address)
    assert await fleet.publish(f"localhost:{one.port}")
    assert await walked(one) == 20
    await fleet.use()  # and goes with the tree
    await fleet.keeper.let_go(keep=False)
    assert await emptied(one, await names_of(fleet))
    assert fleet.keeper.leftovers == {}


async def test_nothing_is_taken_from_what_may_be_the_same_server_while_its_name_is_not_known(
    servers: tuple[DnsServer, DnsServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = servers
    fleet = Fleet(tmp_path / "memory")
    assert await fleet.publish(one.address)

    async def troubled(host: str, port: int) -> tuple[Server, ...]:
        if host == "localhost":
            raise SinkError("localhost cannot be looked up")
        return await addresses(host, port)

    with monkeypatch.context() as resolver:
        resolver.setattr(build, "addresses", troubled)
        assert await fleet.publish(f"localhost:{one.port}")
    assert await walked(one) == 20
    assert "cannot be looked up" in fleet.keeper.leftovers[spec(one.address).name]
    await fleet.again()
    assert await walked(one) == 20
    assert fleet.keeper.leftovers == {}
