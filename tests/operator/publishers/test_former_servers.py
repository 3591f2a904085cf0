"""A tree moves from one BIND to another: what the former one has is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from statusfleet.publishers import build
from statusfleet.publishers.authorities import Server, addresses
from statusfleet.publishers.sink import SinkError
from support.dns_servers import KEY_NAME, DnsServer, bind
from support.published_fleet import Fleet, emptied, update, walked


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[DnsServer, DnsServer]]:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with bind(tmp_path / "one") as one, bind(tmp_path / "two") as two:
        yield one, two


async def test_a_tree_that_moved_while_the_operator_was_away_leaves_nothing_behind(
    servers: tuple[DnsServer, DnsServer], tmp_path: Path
) -> None:
    one, two = servers
    fleet = Fleet(tmp_path / "memory")
    assert (await fleet.publish(update(one.address))).propagated
    fleet.restart()
    assert (await fleet.publish(update(two.address), nodes=range(5, 25))).propagated
    assert await emptied(one, fleet.names)
    assert await walked(two) == 20
    assert fleet.keeper.leftovers == {}


async def test_a_server_that_is_away_or_a_key_that_is_gone_is_told_and_tried_again(
    servers: tuple[DnsServer, DnsServer], tmp_path: Path
) -> None:
    one, two = servers
    fleet = Fleet(tmp_path / "memory")
    assert (await fleet.publish(update(one.address), update(two.address))).propagated
    former = update(one.address).name
    with one.silent():
        state = await fleet.publish(update(two.address), nodes=range(15))
        assert state.propagated  # the other is not held up
        assert "does not answer" in fleet.keeper.leftovers[former]
    fleet.lose_key()
    await fleet.again()
    assert f"Secret {KEY_NAME}, which is not there" in fleet.keeper.leftovers[former]
    assert await walked(one) == 20
    assert await walked(two) == 15
    fleet.restart()
    fleet.give_key()
    assert (await fleet.publish(update(two.address), nodes=range(15))).propagated
    assert fleet.keeper.leftovers == {}
    assert await emptied(one, fleet.names)
    assert await walked(two) == 15


async def test_a_server_that_gets_another_name_keeps_its_tree(
    servers: tuple[DnsServer, DnsServer], tmp_path: Path
) -> None:
    one, _ = servers
    fleet = Fleet(tmp_path / "memory")
    assert (await fleet.publish(update(one.address))).propagated
    assert (await fleet.publish(update(f"localhost:{one.port}"))).propagated
    assert await walked(one) == 20
    await fleet.use()  # and goes with the tree
    await fleet.keeper.let_go(keep=False)
    assert await emptied(one, fleet.names)
    assert fleet.keeper.leftovers == {}


async def test_nothing_is_taken_from_what_may_be_the_same_server_while_its_name_is_not_known(
    servers: tuple[DnsServer, DnsServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = servers
    fleet = Fleet(tmp_path / "memory")
    assert (await fleet.publish(update(one.address))).propagated

    async def troubled(host: str, port: int) -> tuple[Server, ...]:
        if host == "localhost":
            raise SinkError("localhost cannot be looked up")
        return await addresses(host, port)

    with monkeypatch.context() as resolver:
        resolver.setattr(build, "addresses", troubled)
        assert (await fleet.publish(update(f"localhost:{one.port}"))).propagated
    assert await walked(one) == 20
    assert "cannot be looked up" in fleet.keeper.leftovers[update(one.address).name]
    await fleet.again()
    assert await walked(one) == 20
    assert fleet.keeper.leftovers == {}
