"""WebSocket: opened and closed by calls, a session each."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from support.rpc_client import CallError, HttpCaller
from support.rpc_node import RpcNode


async def open_port(node: RpcNode, call: HttpCaller, *params: object) -> str:
    assert await call("admin_startWS", "127.0.0.1", *params) is True
    port = node.rpc._websocket
    assert port is not None
    return f"http://{port}/"


async def ask(socket: aiohttp.ClientWebSocketResponse, text: str) -> dict:
    await socket.send_str(text)
    return json.loads(await socket.receive_str(timeout=30))


async def test_the_namespaces_that_were_asked_for_can_be_called(
    node: RpcNode, call: HttpCaller
) -> None:
    url = await open_port(node, call, None, None, "admin, wakuext")

    async with call.session.ws_connect(url) as socket:
        assert await ask(socket, '{"id":1,"method":"rpc_modules"}') == {
            "jsonrpc": "2.0",
            "id": 1,
            "result": {"admin": "1.0", "rpc": "1.0", "wakuext": "1.0"},
        }
        await socket.send_bytes(b'{"id":1,"method":"wakuext_echo","params":["x"]}')
        assert json.loads(await socket.receive_str(timeout=30))["result"] == "x"
        subscribed = await ask(
            socket, '{"id":1,"method":"admin_subscribe","params":["peerEvents"]}'
        )
        assert subscribed["result"].startswith("0x")


async def test_garbage_ends_the_connection(node: RpcNode, call: HttpCaller) -> None:
    url = await open_port(node, call)

    async with call.session.ws_connect(url) as socket:
        assert (await ask(socket, "{"))["error"]["code"] == -32700
        assert (await socket.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        (None, None, True),
        (None, "http://localhost", True),
        (None, "http://evil.example", False),
        ("http://a.example", "HTTP://A.example", True),
        ("*", "http://evil.example", True),
    ],
)
async def test_pages_are_let_in_by_their_origin(
    node: RpcNode, call: HttpCaller, origins: str | None, origin: str | None, allowed: bool
) -> None:
    url = await open_port(node, call, None, origins)
    headers = {"Origin": origin} if origin else {}

    if allowed:
        async with call.session.ws_connect(url, headers=headers) as socket:
            assert "result" in await ask(socket, '{"id":1,"method":"rpc_modules"}')
    else:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await call.session.ws_connect(url, headers=headers)


async def test_a_port_is_opened_once_and_closed_with_its_connections(
    node: RpcNode, call: HttpCaller
) -> None:
    url = await open_port(node, call)
    with pytest.raises(CallError, match="WebSocket RPC already running on 127"):
        await call("admin_startWS")

    async with call.session.ws_connect(url) as socket:
        assert await call("admin_stopWS") is True
        async with asyncio.timeout(30):
            assert (await socket.receive()).type in {
                aiohttp.WSMsgType.CLOSED,
                aiohttp.WSMsgType.ERROR,
            }
    with pytest.raises(CallError, match="WebSocket RPC not running"):
        await call("admin_stopWS")
    with pytest.raises(aiohttp.ClientConnectionError):
        await call.session.ws_connect(url)


async def test_a_port_that_cannot_be_opened_is_an_answer(node: RpcNode, call: HttpCaller) -> None:
    with pytest.raises(CallError, match=r"[Aa]ddress already in use"):
        await call("admin_startWS", "127.0.0.1", node.http_port)
    with pytest.raises(CallError, match="99999 is no port"):
        await call("admin_startWS", "127.0.0.1", 99999)
