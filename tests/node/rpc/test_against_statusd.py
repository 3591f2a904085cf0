"""The reference node itself, asked what our node is asked, on their unix sockets.

It runs in a network namespace of its own (`unshare`): it looks for routers and time servers. A unix
socket is a file, so it can be reached from here all the same.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.rpc_client import StreamCaller, stream_caller
from support.rpc_node import RpcNode

STATUSD = os.environ.get("STATUSD", "")
CALLS = json.loads((Path(__file__).parent / "vectors" / "calls.json").read_text())["calls"]

pytestmark = [
    pytest.mark.skipif(not STATUSD, reason="needs STATUSD: the path of a statusd 0.68.4"),
    pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare: of util-linux"),
]


@pytest.fixture
async def reference(tmp_path: Path) -> AsyncIterator[StreamCaller]:
    """A caller of a statusd of status-go."""
    folder, socket = tmp_path / "reference", tmp_path / "reference.ipc"
    config = tmp_path / "reference.json"
    config.write_text(
        json.dumps(
            {
                "NodeKey": "11" * 32,
                "ListenAddr": "127.0.0.1:0",
                "IPCEnabled": True,
                "IPCFile": str(socket),
                "NoDiscovery": True,
                "EnableNTPSync": False,
                "ClusterConfig": {"Enabled": False},
            }
        )
    )
    process = await asyncio.create_subprocess_exec(
        *("unshare", "-rn", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"),
        *(STATUSD, "-fleet", "", "-dir", str(folder), "-c", str(config)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(60):
            while not socket.exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.05)
        async with stream_caller(socket) as caller:
            yield caller
    finally:
        process.kill()
        await process.wait()


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
