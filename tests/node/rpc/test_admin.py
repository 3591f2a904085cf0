"""`admin_…` and `web3_…` of real nodes that meet on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from statusnode.crypto.keys import PrivateKey
from statusnode.records.enode import Enode
from statusnode.records.enr import Record
from support.rpc_client import CallError, HttpCaller, http_caller, stream_caller
from support.rpc_node import CLIENT_NAME, RpcNode, rpc_node


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[RpcNode]:
    """A second node."""
    async with rpc_node(tmp_path / "other", key=PrivateKey(b"\x22" * 32)) as running:
        yield running


async def connected(call: HttpCaller, count: int) -> list[dict]:
    async with asyncio.timeout(60):
        while len(peers := await call("admin_peers")) != count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return peers


async def test_a_node_tells_who_it_is(node: RpcNode, call: HttpCaller, tmp_path: Path) -> None:
    info = await call("admin_nodeInfo")

    enode, record = Enode.parse(info["enode"]), Record.parse(info["enr"])
    assert enode.public_key == record.public_key == node.backend.key.public_key
    port = node.server.listen_address[1]
    assert info["id"] == enode.node_id.hex()
    assert info["name"] == CLIENT_NAME == await call("web3_clientVersion")
    assert info["enode"].endswith(f"@127.0.0.1:{port}?discport=0")
    assert (record.ip, record.tcp, record.udp) == ("127.0.0.1", port, None)
    assert info["ip"] == "127.0.0.1"
    assert info["ports"] == {"discovery": 0, "listener": port}
    assert info["listenAddr"] == f"127.0.0.1:{port}"
    assert info["protocols"] == {
        "waku": {"version": "0", "maxMessageSize": 1048576, "minimumPoW": 2e-06}
    }
    assert await call("admin_datadir") == str(tmp_path)


async def test_peers_are_added_shown_and_removed(
    node: RpcNode, call: HttpCaller, other: RpcNode
) -> None:
    assert await call("admin_addPeer", str(other.server.self_enode)) is True

    (peer,) = await connected(call, 1)
    address = f"127.0.0.1:{other.server.listen_address[1]}"
    assert peer["id"] == other.server.self_enode.node_id.hex()
    assert peer["enode"].startswith(f"enode://{other.backend.key.public_key.data.hex()}@127")
    assert peer["name"] == CLIENT_NAME
    assert peer["caps"] == ["waku/0", "waku/1"]
    assert peer["protocols"] == {"waku": "unknown"}
    assert peer["network"]["remoteAddress"] == address
    assert (peer["network"]["inbound"], peer["network"]["static"]) == (False, True)
    async with http_caller(other.http_port) as call_other:
        (back,) = await connected(call_other, 1)
        assert back["network"]["inbound"] is True
        assert back["network"]["remoteAddress"] == peer["network"]["localAddress"]

    assert await call("admin_removePeer", str(other.server.self_enode)) is True
    await connected(call, 0)


async def test_a_peer_is_trusted_until_it_is_not(
    node: RpcNode, call: HttpCaller, other: RpcNode
) -> None:
    url = str(other.server.self_enode)
    await call("admin_addPeer", url)
    await connected(call, 1)

    await call("admin_addTrustedPeer", url)
    assert (await call("admin_peers"))[0]["network"]["trusted"] is True
    await call("admin_removeTrustedPeer", url)
    assert (await call("admin_peers"))[0]["network"]["trusted"] is False


async def test_deleting_ends_the_session_and_says_whether_there_was_one(
    node: RpcNode, call: HttpCaller, other: RpcNode
) -> None:
    url = str(other.server.self_enode)
    async with http_caller(other.http_port) as call_other:
        await call_other("admin_addPeer", str(node.server.self_enode))
        await connected(call, 1)

        assert await call("admin_deletePeer", url) is True
        await connected(call, 0)
        with pytest.raises(CallError, match="peer not found"):
            await call("admin_deletePeer", url)


async def test_a_record_names_a_node_too(node: RpcNode, call: HttpCaller, other: RpcNode) -> None:
    async with http_caller(other.http_port) as call_other:
        record = (await call_other("admin_nodeInfo"))["enr"]

    assert await call("admin_addPeer", record) is True
    await connected(call, 1)


async def test_a_fleet_peer_stays_one_when_it_is_added_by_hand(
    node: RpcNode, call: HttpCaller, other: RpcNode
) -> None:
    node.server.add_static(other.server.self_enode, fleet=True)

    await call("admin_addPeer", str(other.server.self_enode))

    assert [entry.fleet for entry in node.server.static_nodes()] == [True]


async def test_subscribers_hear_of_peers_that_come_and_go(node: RpcNode, other: RpcNode) -> None:
    async with stream_caller(node.ipc_path) as call:
        subscription = await call("admin_subscribe", "peerEvents")
        await call("admin_addPeer", str(other.server.self_enode))
        came = await call.notification()
        await call("admin_removePeer", str(other.server.self_enode))
        gone = await call.notification()

    peer = other.server.self_enode.node_id.hex()
    assert came["method"] == gone["method"] == "admin_subscription"
    assert came["params"]["subscription"] == subscription
    assert came["params"]["result"]["type"] == "add"
    assert came["params"]["result"]["peer"] == gone["params"]["result"]["peer"] == peer
    assert gone["params"]["result"]["type"] == "drop"
    assert gone["params"]["result"]["error"]
    assert set(came["params"]["result"]) == {"type", "peer", "local", "remote"}


async def test_http_is_closed_by_a_call_and_opened_by_another(
    node: RpcNode, call: HttpCaller
) -> None:
    assert await call("admin_stopRPC") is True
    assert node.rpc.http_address is None
    async with http_caller(node.http_port) as late:
        with pytest.raises(aiohttp.ClientConnectionError):
            await late("rpc_modules")

    async with stream_caller(node.ipc_path) as ipc:
        with pytest.raises(CallError, match="HTTP RPC not running"):
            await ipc("admin_stopRPC")
        assert await ipc("admin_startRPC", "127.0.0.1", 0, None, "web3,admin", "*") is True
        with pytest.raises(CallError, match=r"HTTP RPC already running on 127\.0\.0\.1:"):
            await ipc("admin_startRPC")

    async with http_caller(node.rpc.http_address[1]) as again:
        assert sorted(await again("rpc_modules")) == ["admin", "rpc", "web3"]
        status, _ = await again.post(b"{}", {"Content-Type": "application/json", "Host": "x"})
        assert status == 200


async def test_a_connection_that_outlives_its_port_gets_nothing_more(
    node: RpcNode, call: HttpCaller
) -> None:
    assert await call("admin_stopRPC") is True

    # aiohttp keeps the connection of the call before.
    assert await call.post(b'{"id":1,"method":"rpc_modules"}') == (200, "")
