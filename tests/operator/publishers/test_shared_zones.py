"""Sinks that write into one zone take nothing from each other, before, after or beside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from statusfleet.publishers import rfc2136
from statusfleet.publishers.authorities import Server
from statusfleet.publishers.sink import SinkError
from statusnode.crypto.keys import PrivateKey
from support.dns_servers import ZONE, DnsServer, bind
from support.ports import HOST
from support.published_fleet import DNS_ENDPOINT, Fleet, emptied, texts, update, walked
from support.records import DOMAIN

OBJECTS = ["test-tree-entries", "test-tree-root"]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[DnsServer, DnsServer]]:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with bind(tmp_path / "one") as one, bind(tmp_path / "two") as two:
        yield one, two


def objects(fleet: Fleet) -> list[str]:
    """The names of the objects for ExternalDNS."""
    return sorted(name for kind, _, name in fleet.objects.objects if kind == "DNSEndpoint")


def delete_objects(fleet: Fleet) -> None:
    for kind, namespace, name in list(fleet.objects.objects):
        if kind == "DNSEndpoint":
            del fleet.objects.objects[kind, namespace, name]


# ── a zone, and the servers that have it ──


async def test_a_tree_of_another_domain_is_taken_from_the_server_that_gets_the_new_one(
    servers: tuple[DnsServer, DnsServer], tmp_path: Path
) -> None:
    one, _ = servers
    fleet = Fleet(tmp_path / "memory")
    assert (await fleet.publish(update(one.address))).propagated
    names = fleet.names
    moved = await fleet.publish(update(f"localhost:{one.port}"), domain=f"new.{ZONE}")
    assert (moved.seq, moved.propagated) == (2, True)
    assert await emptied(one, names)


async def test_a_server_that_the_zone_names_itself_has_what_its_primary_has(
    servers: tuple[DnsServer, DnsServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = servers

    async def named(_zone: str, primary: Server) -> tuple[Server, ...]:
        # A zone's NS records lead nobody to the loopback, so they are pretended.
        return (primary, *(Server(HOST, s.port) for s in servers if s.port != primary.port))

    fleet = Fleet(tmp_path / "memory")
    assert (await fleet.publish(update(one.address))).propagated
    with suppress(SinkError), monkeypatch.context() as names:
        names.setattr(rfc2136, "servers_of_zone", named)
        await fleet.publish(update(two.address))
    assert fleet.keeper.leftovers == {}
    assert await walked(one) == await walked(two) == 20


# ── two fleets ──


@pytest.mark.parametrize("second", ["rfc2136", "dnsEndpoint"])
async def test_of_two_fleets_with_one_key_the_second_is_told_and_takes_nothing_from_the_first(
    servers: tuple[DnsServer, DnsServer], tmp_path: Path, second: str
) -> None:
    one, _ = servers
    place = update(one.address) if second == "rfc2136" else DNS_ENDPOINT
    first = Fleet(tmp_path / "first")
    other = Fleet(tmp_path / "other", leads_to=(one,), namesakes=("status/first",))
    assert (await first.publish(update(one.address), nodes=range(20))).propagated
    assert (await first.publish(update(one.address), nodes=range(25))).propagated
    before = {name: await texts(one, name) for name in (DOMAIN, *first.names)}
    for _ in range(2):
        state = await other.publish(place, nodes=range(40, 60))
        assert state.sinks[0].progress == "Failed"
        assert f"another fleet (status/first) publishes at {DOMAIN}" in state.problem
        other.time += 3600
    assert {name: await texts(one, name) for name in before} == before
    assert (await first.publish(update(one.address), nodes=range(22))).propagated
    # Its end leaves the first alone; and the end of the first makes way for it, at a number above.
    assert {sink.progress for sink in await other.keeper.unpublish()} == {"Pending"}
    assert await walked(one) == 22
    assert {sink.progress for sink in await first.keeper.unpublish()} == {"Pending"}
    state = await other.publish(update(one.address), nodes=range(40, 60))
    assert state.propagated
    assert state.seq > 2
    assert await walked(one) == 20


async def test_a_tree_of_another_key_is_no_place_for_external_dns_either(
    servers: tuple[DnsServer, DnsServer], tmp_path: Path
) -> None:
    one, _ = servers
    first = Fleet(tmp_path / "first", key=PrivateKey(b"\x07" * 32))
    assert (await first.publish(update(one.address))).published
    other = Fleet(tmp_path / "other", leads_to=(one,))
    state = await other.publish(DNS_ENDPOINT)
    assert state.sinks[0].progress == "Failed"
    assert "a tree of another key is published" in state.problem
    assert objects(other) == []


# ── ExternalDNS ──


async def test_what_external_dns_takes_over_is_left_to_it(
    servers: tuple[DnsServer, DnsServer], tmp_path: Path
) -> None:
    one, _ = servers
    fleet = Fleet(tmp_path / "memory", leads_to=(one,))
    assert (await fleet.publish(update(one.address))).propagated
    before = {name: await texts(one, name) for name in (DOMAIN, *fleet.names)}
    assert (await fleet.publish(DNS_ENDPOINT)).propagated
    assert fleet.keeper.leftovers == {}
    assert {name: await texts(one, name) for name in before} == before
    assert objects(fleet) == OBJECTS


async def test_a_server_that_external_dns_does_not_write_to_is_emptied(
    servers: tuple[DnsServer, DnsServer], tmp_path: Path
) -> None:
    one, two = servers
    fleet = Fleet(tmp_path / "memory", leads_to=(two,))
    assert (await fleet.publish(update(one.address), update(two.address))).propagated
    assert (await fleet.publish(DNS_ENDPOINT)).propagated
    assert fleet.keeper.leftovers == {}
    assert await emptied(one, fleet.names)
    assert await walked(two) == 20


async def test_nothing_is_written_beside_external_dns_nor_its_objects_deleted_before_it_is_gone(
    servers: tuple[DnsServer, DnsServer], tmp_path: Path
) -> None:
    one, two = servers
    fleet = Fleet(tmp_path / "memory", leads_to=(one,))
    assert (await fleet.publish(update(one.address))).propagated  # as ExternalDNS would have
    assert (await fleet.publish(DNS_ENDPOINT)).propagated
    before = {name: await texts(one, name) for name in (DOMAIN, *fleet.names)}
    state = await fleet.publish(update(one.address), update(two.address), nodes=range(5, 25))
    assert [sink.progress for sink in state.sinks] == ["Failed", "Published"]
    assert "kubectl delete dnsendpoints -n status -l statusfleet.io/fleet=test" in state.problem
    assert "stop that ExternalDNS" in fleet.keeper.leftovers["dnsEndpoint"]
    assert {name: await texts(one, name) for name in before} == before
    assert objects(fleet) == OBJECTS
    delete_objects(fleet)  # by hand, after ExternalDNS was stopped
    fleet.time += 300
    state = await fleet.publish(update(one.address), update(two.address), nodes=range(5, 25))
    assert state.propagated
    assert fleet.keeper.leftovers == {}
    assert await walked(one) == await walked(two) == 20


async def test_both_in_one_zone_are_told_and_a_fleet_that_goes_empties_both(
    servers: tuple[DnsServer, DnsServer], tmp_path: Path
) -> None:
    one, _ = servers
    fleet = Fleet(tmp_path / "memory", leads_to=(one,))
    assert (await fleet.publish(update(one.address))).propagated
    state = await fleet.publish(update(one.address), DNS_ENDPOINT, nodes=range(21))
    assert state.sinks[0].progress == "Failed"
    assert "ExternalDNS keeps the tree in the same zone" in state.problem
    assert {sink.progress for sink in await fleet.keeper.unpublish()} == {"Pending"}
    assert objects(fleet) == []
    assert await emptied(one, fleet.names)


async def test_a_fleet_that_goes_takes_the_objects_of_before_along(
    servers: tuple[DnsServer, DnsServer], tmp_path: Path
) -> None:
    one, _ = servers
    fleet = Fleet(tmp_path / "memory", leads_to=(one,))
    assert (await fleet.publish(update(one.address))).propagated
    assert (await fleet.publish(DNS_ENDPOINT)).propagated
    await fleet.use(update(one.address))
    assert {sink.progress for sink in await fleet.keeper.unpublish()} == {"Pending"}
    assert objects(fleet) == []
    assert await emptied(one, fleet.names)
