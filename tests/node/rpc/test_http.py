"""HTTP: what is refused before anybody looks at the JSON, and what the answers look like."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from statusnode.rpc.http import MAX_BODY, HttpSettings
from support.rpc_client import JSON, HttpCaller, http_caller
from support.rpc_node import RpcNode, rpc_node

ECHO = b'{"id":1,"method":"wakuext_echo","params":["x"]}'
ECHOED = '{"jsonrpc":"2.0","id":1,"result":"x"}\n'
NO_CONTENT_TYPE = "invalid content type, only application/json is supported\n"


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "text"),
    [
        ("GET", "/", b"", {}, 200, ""),
        ("GET", "/any/path", b"", {}, 200, ""),
        ("GET", "/?a=b", b"", {}, 415, NO_CONTENT_TYPE),
        ("GET", "/?a=b", b"", JSON, 200, ""),
        ("GET", "/", ECHO, JSON, 200, ECHOED),
        ("PATCH", "/", ECHO, JSON, 200, ECHOED),
        ("PUT", "/", ECHO, JSON, 405, "method not allowed\n"),
        ("DELETE", "/", b"", {}, 405, "method not allowed\n"),
        ("OPTIONS", "/", b"", {}, 200, ""),
        ("POST", "/path", ECHO, JSON, 200, ECHOED),
        ("POST", "/", ECHO, {"Content-Type": "application/json; charset=utf-8"}, 200, ECHOED),
        ("POST", "/", ECHO, {"Content-Type": "application/json-rpc"}, 200, ECHOED),
        ("POST", "/", ECHO, {"Content-Type": "APPLICATION/jsonrequest"}, 200, ECHOED),
        ("POST", "/", ECHO, {"Content-Type": "text/plain"}, 415, NO_CONTENT_TYPE),
        ("POST", "/", ECHO, {}, 415, NO_CONTENT_TYPE),
        ("POST", "/", ECHO, {**JSON, "Host": "evil.example"}, 403, "invalid host specified\n"),
        ("GET", "/", b"", {"Host": "evil.example:80"}, 403, "invalid host specified\n"),
        ("POST", "/", ECHO, {**JSON, "Host": "localhost:99"}, 200, ECHOED),
        ("POST", "/", ECHO, {**JSON, "Host": "[::1]:99"}, 200, ECHOED),
    ],
)
async def test_status_and_text_are_those_of_the_reference(
    node: RpcNode,
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
    text: str,
) -> None:
    url = f"http://127.0.0.1:{node.http_port}{path}"
    async with (
        aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as session,
        session.request(method, url, data=body or None, headers=headers) as response,
    ):
        assert (response.status, await response.text()) == (status, text)
        assert "Server" not in response.headers
        if status >= 400:
            assert response.headers["X-Content-Type-Options"] == "nosniff"
        elif text:
            assert response.headers["Content-Type"] == "application/json"


async def test_a_body_has_a_bound_told_or_not(call: HttpCaller) -> None:
    too_long = b" " * (MAX_BODY + 1)
    status, text = await call.post(too_long)
    assert (status, text) == (413, f"content length too large ({MAX_BODY + 1}>{MAX_BODY})\n")

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(too_long), 1 << 16):
            yield too_long[start : start + (1 << 16)]

    async with call.session.post(call.url, data=pieces(), headers=JSON) as response:
        assert response.status == 413

    longest = ECHO + b" " * (MAX_BODY - len(ECHO))
    assert await call.post(longest) == (200, ECHOED)


async def test_answers_are_compressed_for_who_asks(node: RpcNode) -> None:
    url = f"http://127.0.0.1:{node.http_port}/"
    async with (
        aiohttp.ClientSession(auto_decompress=True) as session,
        session.post(url, data=ECHO, headers={**JSON, "Accept-Encoding": "gzip"}) as response,
    ):
        assert response.headers["Content-Encoding"] == "gzip"
        assert await response.text() == ECHOED


async def test_only_the_listed_namespaces_can_be_called(tmp_path: Path) -> None:
    http = HttpSettings("127.0.0.1", 0, frozenset({"web3", "net"}))
    async with rpc_node(tmp_path, http=http) as node, http_caller(node.http_port) as call:
        assert await call("rpc_modules") == {"rpc": "1.0", "web3": "1.0"}
        refused = await call.ask("admin_nodeInfo", [])
        assert refused["error"]["code"] == -32601


async def test_pages_of_listed_origins_may_read_answers(tmp_path: Path) -> None:
    http = HttpSettings(
        "127.0.0.1", 0, frozenset({"web3"}), cors_origins=frozenset({"http://a.example"})
    )
    async with rpc_node(tmp_path, http=http) as node, http_caller(node.http_port) as call:
        for origin, allowed in (("http://a.example", True), ("http://b.example", False)):
            headers = {**JSON, "Origin": origin}
            async with call.session.post(call.url, data=ECHO, headers=headers) as response:
                assert response.headers["Vary"] == "Origin"
                assert ("Access-Control-Allow-Origin" in response.headers) is allowed
            headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            async with call.session.options(call.url, headers=headers) as response:
                assert response.status == 200
                assert ("Access-Control-Allow-Methods" in response.headers) is allowed


async def test_a_caller_that_hangs_up_stops_its_mining(node: RpcNode, call: HttpCaller) -> None:
    key = await call("waku_newSymKey")
    endless = {"symKeyID": key, "topic": "0x01020304", "powTarget": 1e30, "powTime": 86400}
    posting = asyncio.create_task(call("waku_post", endless))
    miner = node.messaging.miner
    async with asyncio.timeout(30):
        while miner._process is None:  # noqa: ASYNC110 - no event tells of a process
            await asyncio.sleep(0.01)

    posting.cancel()

    async with asyncio.timeout(30):
        while miner._process is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_garbage_is_answered_or_cut_off_and_the_node_goes_on(
    node: RpcNode, call: HttpCaller
) -> None:
    for garbage in (b"\x00" * 100, b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n", b"{}" * 10_000):
        reader, writer = await asyncio.open_connection("127.0.0.1", node.http_port)
        writer.write(garbage)
        writer.write_eof()
        async with asyncio.timeout(30):
            await reader.read()
        writer.close()
        await writer.wait_closed()

    assert json.loads((await call.post(ECHO))[1])["result"] == "x"
