"""The unix socket: whose it is, requests side by side, subscriptions, callers that misbehave."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest

from statusnode.rpc import session
from statusnode.rpc.dispatch import Dispatcher
from statusnode.rpc.http import HttpSettings
from statusnode.rpc.ipc import MAX_REQUEST, IpcEndpoint
from support.rpc_client import CallError, StreamCaller, stream_caller
from support.rpc_node import RpcNode, rpc_node

ECHO = b'{"id":1,"method":"wakuext_echo","params":["x"]}'
ECHOED = b'{"jsonrpc":"2.0","id":1,"result":"x"}\n'


async def test_every_namespace_can_be_called(tmp_path: Path) -> None:
    http = HttpSettings("127.0.0.1", 0, frozenset({"web3"}))
    async with rpc_node(tmp_path, http=http) as node, stream_caller(node.ipc_path) as call:
        assert sorted(await call("rpc_modules")) == ["admin", "rpc", "waku", "wakuext", "web3"]


async def test_the_socket_is_its_owner_s_alone_and_goes_with_the_node(tmp_path: Path) -> None:
    async with rpc_node(tmp_path) as node:
        mode = node.ipc_path.stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
    assert not node.ipc_path.exists()


async def test_a_socket_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "geth.ipc").write_text("not even a socket")

    async with rpc_node(tmp_path) as node, stream_caller(node.ipc_path) as call:
        assert await call("wakuext_echo", "x") == "x"


async def test_a_path_that_no_socket_can_have_is_an_error(tmp_path: Path) -> None:
    endpoint = IpcEndpoint(Dispatcher([]), tmp_path / ("x" * 120))

    with pytest.raises(OSError, match="AF_UNIX path too long"):
        await endpoint.open()
    await endpoint.close()


async def test_a_slow_call_holds_up_no_other(node: RpcNode) -> None:
    async with stream_caller(node.ipc_path) as call:
        key = await call("waku_newSymKey")
        endless = {"symKeyID": key, "topic": "0x01020304", "powTarget": 1e30, "powTime": 86400}
        call.send(json.dumps({"id": 5, "method": "waku_post", "params": [endless]}).encode())
        assert await call("wakuext_echo", "x") == "x"


async def test_requests_before_the_end_of_the_input_are_answered(node: RpcNode) -> None:
    async with stream_caller(node.ipc_path) as call:
        call.send(ECHO * 100)
        call.writer.write_eof()
        assert await call.rest() == ECHOED * 100


async def test_a_request_that_never_ends_is_cut_off(node: RpcNode) -> None:
    async with stream_caller(node.ipc_path) as call:
        call.send(b'["' + b"x" * MAX_REQUEST)
        answer = json.loads(await call.rest())
        assert answer["error"] == {
            "code": -32700,
            "message": f"a request has at most {MAX_REQUEST} bytes",
        }


async def test_a_subscription_tells_of_messages_until_it_ends(node: RpcNode) -> None:
    async with stream_caller(node.ipc_path) as call:
        key = await call("waku_newSymKey")
        criteria = {"symKeyID": key, "topics": ["0x01020304"]}
        subscription = await call("waku_subscribe", "messages", criteria)
        post = {"symKeyID": key, "topic": "0x01020304", "powTarget": 0.00001, "powTime": 5}
        posted = await call("waku_post", {**post, "payload": "YQ=="})

        told = await call.notification()
        assert told["method"] == "waku_subscription"
        assert told["params"]["subscription"] == subscription
        assert told["params"]["result"]["payload"] == "YQ=="
        assert len(posted) == 66

        assert await call("waku_unsubscribe", subscription) is True
        with pytest.raises(CallError, match="subscription not found"):
            await call("waku_unsubscribe", subscription)
        await call("waku_post", {**post, "payload": "Yg=="})
        assert await call("wakuext_echo", "x") == "x"
        assert call.notifications == []
        assert node.messaging.filters._filters == {}


async def test_what_a_subscription_hears_at_once_follows_the_answer_that_names_it(
    node: RpcNode,
) -> None:
    async with stream_caller(node.ipc_path) as call:
        key = await call("waku_newSymKey")
        criteria = {"symKeyID": key, "topics": ["0x01020304"]}
        post = {"symKeyID": key, "topic": "0x01020304", "powTarget": 0.00001, "powTime": 5}
        batch = [
            {"id": 1, "method": "waku_subscribe", "params": ["messages", criteria]},
            {"id": 2, "method": "waku_post", "params": [post]},
        ]
        call.send(json.dumps(batch).encode())

        answers = await call.next()
        assert [answer["id"] for answer in answers] == [1, 2]
        assert (await call.next())["params"]["subscription"] == answers[0]["result"]


async def test_subscriptions_end_with_their_connection(node: RpcNode) -> None:
    async with stream_caller(node.ipc_path) as call:
        key = await call("waku_newSymKey")
        await call("waku_subscribe", "messages", {"symKeyID": key, "topics": ["0x01020304"]})
        await call("admin_subscribe", "peerEvents")
        assert node.messaging.filters._filters

    async with asyncio.timeout(30):
        while node.messaging.filters._filters or node.server._subscribers:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_subscriber_that_does_not_read_is_cut_off_and_holds_up_nobody(
    node: RpcNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_MAX_OUTBOX", 1 << 20)
    async with stream_caller(node.ipc_path) as deaf, stream_caller(node.ipc_path) as call:
        key = await call("waku_newSymKey")
        await deaf("waku_subscribe", "messages", {"symKeyID": key, "topics": ["0x01020304"]})
        deaf.reader._transport.pause_reading()
        post = {"symKeyID": key, "topic": "0x01020304", "powTarget": 0.00001, "powTime": 5}
        async with asyncio.timeout(60):
            while node.messaging.filters._filters:
                await call("waku_post", {**post, "payload": "A" * 200_000})
    assert not node.messaging.filters._filters


async def test_a_caller_that_leaves_stops_its_mining(
    node: RpcNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_GRACE_SECONDS", 0.01)
    miner = node.messaging.miner
    async with stream_caller(node.ipc_path) as call:
        key = await call("waku_newSymKey")
        endless = {"symKeyID": key, "topic": "0x01020304", "powTarget": 1e30, "powTime": 86400}
        call.send(json.dumps({"id": 5, "method": "waku_post", "params": [endless]}).encode())
        async with asyncio.timeout(30):
            while miner._process is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async with asyncio.timeout(30):
        while miner._process is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_garbage_ends_a_connection_and_nothing_else(node: RpcNode) -> None:
    async with stream_caller(node.ipc_path) as call:
        for garbage in (b"\x00", b"]", b"{]", b'{"a"}', b"[" * 100_000 + b"]" * 100_000):
            async with stream_caller(node.ipc_path) as other:
                other.send(garbage)
                assert json.loads(await other.rest())["error"]["code"] == -32700
        assert await call("wakuext_echo", "x") == "x"


async def test_stopping_the_node_ends_connections(tmp_path: Path) -> None:
    async with rpc_node(tmp_path) as node:
        reader, writer = await asyncio.open_unix_connection(node.ipc_path)
        call = StreamCaller(reader, writer)
        await call("admin_subscribe", "peerEvents")
    assert await call.rest() == b""
    writer.close()
    await writer.wait_closed()
