"""go-ethereum's p2p package and our node, both ways: sessions, relaying, interest, mail.

`statusd` is the real program; the peers are tests/interop/peer, which builds every packet with Go's
own RLP, and `devp2p` of go-ethereum.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from pathlib import Path

import pytest

from statusnode.messages.bloom import bloom_bytes, bloom_of
from support.go import go_binary
from support.statusd_process import statusd
from support.waku_peer import envelope, waku_peer

pytestmark = pytest.mark.timeout(900)

ALPHA, BETA = "a1a2a3a4", "b1b2b3b4"
MAIL = {
    "Enabled": True,
    "FullNode": True,
    "EnableMailServer": True,
    "MailServerPassword": "status-offline-inbox",
}


async def test_go_dials_us_and_envelopes_pass_between_its_nodes(tmp_path: Path) -> None:
    async with statusd(tmp_path) as node, waku_peer() as left, waku_peer(version=0) as right:
        for peer in (left, right):
            peer.do("dial", enode=await node.enode())
            connected = await peer.event("connected")
            assert connected["name"].startswith("Statusd/")
            assert not connected["inbound"]
        there, back = envelope(ALPHA), envelope(BETA, os.urandom(5_000))
        left.do("post", envelopes=[there])
        await right.receives(there)
        right.do("post", envelopes=[back])
        await left.receives(back)
        assert not left.has(there)
        assert not right.has(back)


async def test_we_dial_go_and_envelopes_pass_between_its_nodes(tmp_path: Path) -> None:
    async with waku_peer() as left, waku_peer() as right:
        static = [await left.enode(), await right.enode()]
        async with statusd(tmp_path, ClusterConfig={"Enabled": True, "StaticNodes": static}):
            for peer in (left, right):
                assert (await peer.event("connected"))["inbound"]
            sent = [envelope(ALPHA, os.urandom(200)) for _ in range(50)]
            left.do("post", envelopes=sent)
            for each in sent:
                await right.receives(each)


async def test_a_light_go_node_gets_only_topics_of_interest(tmp_path: Path) -> None:
    async with (
        statusd(tmp_path) as node,
        waku_peer() as sender,
        waku_peer(pow=0.0, light=True, topics=[BETA]) as light,
    ):
        for peer in (light, sender):
            peer.do("dial", enode=await node.enode())
            await peer.packet(0)
        unwanted, wanted = envelope(ALPHA), envelope(BETA)
        sender.do("post", envelopes=[unwanted, wanted])
        await light.receives(wanted)
        assert not light.has(unwanted)
        light.do("update", options={"topics": [ALPHA]})
        await light.receives(unwanted)


async def test_a_go_node_with_a_bloom_filter_gets_what_passes_it(tmp_path: Path) -> None:
    bloom = bloom_bytes(bloom_of([bytes.fromhex(BETA)])).hex()
    async with (
        statusd(tmp_path) as node,
        waku_peer() as sender,
        waku_peer(pow=0.0, bloom=bloom) as filtered,
    ):
        for peer in (filtered, sender):
            peer.do("dial", enode=await node.enode())
            await peer.packet(0)
        unwanted, wanted = envelope(ALPHA), envelope(BETA)
        sender.do("post", envelopes=[unwanted, wanted])
        await filtered.receives(wanted)
        assert not filtered.has(unwanted)


async def test_a_go_node_fetches_mail(tmp_path: Path) -> None:
    async with (
        statusd(tmp_path, WakuConfig=MAIL) as node,
        waku_peer() as sender,
        waku_peer(pow=0.0, topics=[]) as client,
    ):
        for peer in (sender, client):
            peer.do("dial", enode=await node.enode())
            await peer.packet(0)
        mail = [envelope(BETA, os.urandom(100)) for _ in range(3)]
        sender.do("post", envelopes=[*mail, envelope(ALPHA)])
        now = int(time.time())
        request = {
            "id": "11" * 32,
            "from": now - 300,
            "to": now + 60,
            "limit": 100,
            "bloom": bloom_bytes(bloom_of([bytes.fromhex(BETA)])).hex(),
            "topics": [BETA],
        }
        async with asyncio.timeout(30):
            # The post and the request travel on sessions of their own: ask until all is there.
            while not all(client.has(each) for each in mail):
                client.events.clear()
                client.do("request", request=request)
                await client.packet(125)
        completion = bytes.fromhex((await client.packet(125))["payload"])
        assert bytes.fromhex(request["id"]) in completion


async def test_codes_that_waku_does_not_know_change_nothing_for_a_go_node(tmp_path: Path) -> None:
    async with statusd(tmp_path) as node, waku_peer() as left, waku_peer() as right:
        for peer in (left, right):
            peer.do("dial", enode=await node.enode())
            await peer.packet(0)
        for code in (2, 3, 21, 99):
            left.do("send", code=code, payload="c0")
        after = envelope(ALPHA)
        left.do("post", envelopes=[after])
        await right.receives(after)


async def test_stopping_tells_a_go_node_that_we_quit(tmp_path: Path) -> None:
    async with statusd(tmp_path) as node, waku_peer() as peer:
        peer.do("dial", enode=await node.enode())
        await peer.packet(0)
        assert await node.stop() == 0
        await peer.event("dropped")


async def test_devp2p_rlpx_ping_understands_our_hello(tmp_path: Path) -> None:
    devp2p = go_binary(
        Path(__file__).parent / "dnsdisc", "devp2p", "github.com/ethereum/go-ethereum/cmd/devp2p"
    )
    async with statusd(tmp_path) as node:
        process = await asyncio.create_subprocess_exec(
            devp2p, "rlpx", "ping", await node.enode(), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        assert process.returncode == 0
        assert re.match(
            rb"{Version:5 Name:Statusd/\S+ Caps:\[waku/0 waku/1\] ListenPort:0 ", output
        )
