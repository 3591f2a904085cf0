"""What statusd of status-go 0.68.4 answered, asked of a node of ours.

The answers were recorded once (`vectors/`); where the reference node itself is at hand,
`test_against_statusd.py` asks it anew.
"""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from support.rpc_client import PATIENCE_SECONDS, HttpCaller, stream_caller
from support.rpc_node import RpcNode

VECTORS = Path(__file__).parent / "vectors"
BODIES = json.loads((VECTORS / "bodies.json").read_text())["bodies"]
EXCHANGES = json.loads((VECTORS / "ipc.json").read_text())["exchanges"]


def fill_in(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: fill_in(item, ids) for name, item in value.items()}
    if isinstance(value, list):
        return [fill_in(item, ids) for item in value]
    return ids.get(value, value) if isinstance(value, str) else value


async def test_calls_are_answered_like_the_reference_does(call: HttpCaller) -> None:
    ids = {
        "$SYM": await call("waku_generateSymKeyFromPassword", "status"),
        "$ZERO": await call("waku_addSymKey", "0x" + bytes(32).hex()),
        "$KEY": await call("waku_addPrivateKey", "0x" + "11" * 32),
    }
    public_key = bytes.fromhex((await call("waku_getPublicKey", ids["$KEY"]))[2:])
    ids["$PUB"] = base64.b64encode(public_key).decode()

    for recorded in json.loads((VECTORS / "calls.json").read_text())["calls"]:
        method, params = recorded["method"], recorded["params"]
        answer = await call.ask(method, fill_in(params, ids))

        expected = {key: recorded[key] for key in ("result", "error") if key in recorded}
        assert {key: answer[key] for key in answer if key not in {"id", "jsonrpc"}} == expected, (
            method,
            params,
        )


@pytest.mark.parametrize("recorded", BODIES, ids=lambda recorded: recorded["body"][:50])
async def test_bodies_are_answered_like_the_reference_does(
    recorded: dict[str, str], call: HttpCaller
) -> None:
    assert await call.post(recorded["body"].encode("latin-1")) == (200, recorded["answer"])


async def test_a_socket_is_answered_like_the_reference_does(node: RpcNode) -> None:
    for recorded in EXCHANGES:
        async with stream_caller(node.ipc_path) as caller:
            for chunk in recorded["chunks"]:
                caller.send(chunk.encode("latin-1"))
                await caller.writer.drain()
            expected = recorded["answer"].encode()
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await caller.reader.readexactly(len(expected)) == expected, recorded
            if recorded["closed"]:
                assert await caller.rest() == b""
