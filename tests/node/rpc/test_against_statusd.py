"""The reference node itself, asked what our node is asked, on their unix sockets.

Each answers in a network of its own: only their sockets matter here, which are files.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.reference_scene import needs_reference, scene
from support.rpc_client import StreamCaller, stream_caller
from support.rpc_node import RpcNode

CALLS = json.loads((Path(__file__).parent / "vectors" / "calls.json").read_text())["calls"]

pytestmark = needs_reference()


@pytest.fixture
async def reference(tmp_path: Path) -> AsyncIterator[StreamCaller]:
    """A caller of a statusd of status-go."""
    async with scene(tmp_path) as stage:
        yield (await stage.theirs(NodeKey="11" * 32, ClusterConfig={"Enabled": False})).call


async def answers(call: StreamCaller) -> list[dict[str, Any]]:
    """Ask everything, with ids of keys that hold the same in both nodes."""
    ids = {
        "$SYM": await call("waku_generateSymKeyFromPassword", "status"),
        "$ZERO": await call("waku_addSymKey", "0x" + bytes(32).hex()),
        "$KEY": await call("waku_addPrivateKey", "0x" + "11" * 32),
    }
    public_key = bytes.fromhex((await call("waku_getPublicKey", ids["$KEY"]))[2:])
    ids["$PUB"] = base64.b64encode(public_key).decode()
    found = []
    for recorded in CALLS:
        text = json.dumps({"id": 1, "method": recorded["method"], "params": recorded["params"]})
        for name, value in ids.items():
            text = text.replace(f'"{name}"', f'"{value}"')
        call.send(text.encode())
        answer = json.dumps(await call.next())
        for name, value in ids.items():
            answer = answer.replace(value, name)
        found.append(json.loads(answer))
    return found


async def test_a_socket_of_the_reference_says_what_ours_says(
    node: RpcNode, reference: StreamCaller
) -> None:
    async with stream_caller(node.ipc_path) as ours:
        for recorded, theirs, own in zip(
            CALLS, await answers(reference), await answers(ours), strict=True
        ):
            # HTTP runs on one of the two only; a subscription has an id of its own.
            if recorded["method"] not in {"admin_startRPC", "admin_subscribe"}:
                assert own == theirs, recorded
