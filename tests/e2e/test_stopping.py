"""SIGTERM and SIGINT while a node is busy: it ends soon, with code 0, and drops nothing it took."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

import aiohttp
import psutil
import pytest

from statusnode.records.enode import Enode
from statusnode.relay.status import WAKU_1
from support.devp2p_peers import RawPeer
from support.honest_peers import MAILSERVER, fresh_envelope, honest_peer
from support.relay_peers import EVERYTHING
from support.statusd_process import Statusd, eventually, statusd

HTTP = {"HTTPEnabled": True, "HTTPHost": "127.0.0.1", "HTTPPort": 0, "APIModules": "waku"}
QUITTING = 8
STATUS = 16


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_what_was_taken_before_the_signal_is_archived_and_peers_are_told(
    number: signal.Signals, tmp_path: Path
) -> None:
    async with statusd(tmp_path, WakuConfig=MAILSERVER) as node:
        enode = await node.enode()
        async with (
            honest_peer(enode) as left,
            honest_peer(enode) as right,
            RawPeer.dial(Enode.parse(enode)) as told,
        ):
            posted = [fresh_envelope(ttl=60) for _ in range(500)]
            left.post(*posted)
            await right.receives(posted[-1])
            node.process.send_signal(number)
            assert await told.disconnect_reason() == QUITTING
            assert await node.ended() == 0
    async with statusd(tmp_path, WakuConfig=MAILSERVER) as node:
        async with honest_peer(await node.enode()) as peer:
            assert await peer.mail() == {envelope.raw for envelope in posted}
        assert await node.stop() == 0


async def test_nobody_who_holds_a_connection_holds_up_the_end(tmp_path: Path) -> None:
    """Half handshakes, peers and HTTP clients that do not read, an idle socket, a miner at work."""
    async with statusd(tmp_path, "-log", "DEBUG", WakuConfig=MAILSERVER, **HTTP) as node:
        enode = Enode.parse(await node.enode())
        url = (await node.logged(r"HTTP endpoint opened.* url=(\S+)")).group(1)
        metrics = await node.metrics_port()
        async with contextlib.AsyncExitStack() as stack:
            for port in (enode.tcp, metrics, int(url.rsplit(":", 1)[1].strip("/"))):
                for start in (b"", b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n{"):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    stack.callback(writer.close)
                    writer.write(start)
            for _ in range(3):
                silent = await stack.enter_async_context(RawPeer.dial(enode))
                await silent.send(STATUS, WAKU_1.encode_status(EVERYTHING))
            sender = await stack.enter_async_context(honest_peer(str(enode)))
            reader = await stack.enter_async_context(honest_peer(str(enode)))
            flood = [fresh_envelope(500_000, ttl=30) for _ in range(30)]
            for envelope in flood:
                sender.post(envelope)
            await reader.receives(flood[-1])
            mining = asyncio.create_task(mine_for_ever(url))
            await eventually(lambda: mines(node))
            assert await node.stop() == 0
            await asyncio.gather(mining, return_exceptions=True)
        assert [line for line in node.lines if "lvl=eror" in line or "stack=" in line] == []


async def mines(node: Statusd) -> bool:
    children = psutil.Process(node.process.pid).children()
    return any("mining" in " ".join(child.cmdline()) for child in children)


async def mine_for_ever(url: str) -> None:
    """Ask for more work than can be done."""
    async with aiohttp.ClientSession() as session:

        async def call(method: str, *params: object) -> object:
            request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            async with session.post(url, json=request) as response:
                return (await response.json())["result"]

        key = await call("waku_newSymKey")
        post = {"symKeyID": key, "topic": "0x01020304", "payload": "aGk=", "ttl": 10}
        await call("waku_post", post | {"powTime": 600, "powTarget": 1e12})
