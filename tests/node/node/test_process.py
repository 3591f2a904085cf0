"""The whole node as a process: how it starts, reloads, refuses and ends."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import aiohttp
import pytest

from support.statusd_process import Statusd, eventually, statusd


async def page(node: Statusd, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{await node.metrics_port()}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def until_ready(node: Statusd) -> None:
    async def ready() -> bool:
        return (await page(node, "/ready"))[0] == 200

    await eventually(ready)


async def until_peers(node: Statusd, number: int) -> None:
    async def counted() -> bool:
        return f"\np2p_peers_absolute {number}\n" in (await page(node, "/metrics"))[1]

    await eventually(counted)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_node_gets_ready_and_stops_gracefully(
    number: signal.Signals, tmp_path: Path
) -> None:
    async with statusd(tmp_path) as node:
        await until_ready(node)
        assert await page(node, "/health") == (200, "OK")
        assert await node.stop(number) == 0
        assert "Node stopped" in node.lines[-1]


async def test_a_signal_while_the_node_starts_ends_it_gracefully(tmp_path: Path) -> None:
    async with statusd(tmp_path) as node:
        await node.logged("Starting peer-to-peer node")
        assert await node.stop(signal.SIGINT) == 0


async def test_signals_that_come_again_do_no_harm(tmp_path: Path) -> None:
    async with statusd(tmp_path) as node:
        await until_ready(node)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            node.process.send_signal(number)
        assert await node.ended() == 0


async def test_a_node_keeps_its_identity(tmp_path: Path) -> None:
    keys = []
    for _ in range(2):
        async with statusd(tmp_path) as node:
            keys.append((await node.enode()).partition("@")[0])
            await node.stop()
    assert keys[0] == keys[1]
    key_file = tmp_path / "data" / "Statusd" / "nodekey"
    assert len(bytes.fromhex(key_file.read_text())) == 32
    assert key_file.stat().st_mode & 0o077 == 0


async def test_a_corrupt_node_key_is_refused_and_not_replaced(tmp_path: Path) -> None:
    key_file = tmp_path / "data" / "Statusd" / "nodekey"
    key_file.parent.mkdir(parents=True)
    key_file.write_text("not a key")
    async with statusd(tmp_path) as node:
        assert await node.ended() == 1
        await node.logged(r"Node start failed.*nodekey is corrupt")
    assert key_file.read_text() == "not a key"


async def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with statusd(tmp_path, "-addr", address) as node:
            assert await node.ended() == 1
            await node.logged(rf"Node start failed.*ListenAddr: cannot listen on {address}")


async def test_a_metrics_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        fleet = {"MetricsHost": "127.0.0.1"}
        async with statusd(tmp_path, "-metrics-port", port, StatusFleet=fleet) as node:
            assert await node.ended() == 1
            await node.logged(rf"Node start failed.*metrics-port.*127\.0\.0\.1:{port}")


async def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    async with statusd(tmp_path) as node:
        await node.enode()
        async with statusd(tmp_path) as second:
            assert await second.ended() == 1
            await second.logged(r"Node start failed.*in use by another node")
        assert node.process.returncode is None


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with statusd(tmp_path, "-dir", str(tmp_path / "file" / "data")) as node:
        assert await node.ended() == 1
        await node.logged(r"Node start failed.*DataDir: cannot make")


async def test_nodes_of_a_fleet_find_each_other_and_are_ready_then(tmp_path: Path) -> None:
    async with statusd(tmp_path / "a") as one:
        fleet = {"FleetPeers": [await one.enode()]}
        async with statusd(tmp_path / "b", StatusFleet=fleet) as other:
            await until_ready(other)
            await until_peers(one, 1)
            await until_peers(other, 1)
            assert await other.stop() == 0
            await until_peers(one, 0)


async def test_a_missing_fleet_peer_delays_only_the_first_readiness(tmp_path: Path) -> None:
    gone = f"enode://{'ab' * 64}"
    async with statusd(tmp_path / "a") as one:
        gone = (await one.enode()).partition("@")[0]
        await one.stop()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        fleet = {"FleetPeers": [f"{gone}@127.0.0.1:{port}"]}
        async with statusd(tmp_path / "b", StatusFleet=fleet) as node:
            status, text = await page(node, "/ready")
            assert status == 503
            assert f"fleet peer 127.0.0.1:{port} is not connected yet" in text
            assert (await page(node, "/health"))[0] == 200
            await until_ready(node)


async def test_peers_and_limits_are_taken_up_live(tmp_path: Path) -> None:
    async with statusd(tmp_path / "a") as one, statusd(tmp_path / "b") as other:
        enode = await other.enode()
        await one.enode()
        one.rewrite(ClusterConfig={"Enabled": True, "StaticNodes": [enode]}, MaxPeers=7)
        await one.logged(r"Configuration reloaded.*MaxPeers.*ClusterConfig\.StaticNodes")
        await until_peers(one, 1)
        assert "\np2p_peers_max 7\n" in (await page(one, "/metrics"))[1]
        one.rewrite()
        await until_peers(one, 0)


async def test_a_change_through_a_link_is_seen(tmp_path: Path) -> None:
    """Kubernetes mounts a ConfigMap as links into a folder that is itself a link, and swaps it."""
    for name, peers in (("old", 3), ("new", 4)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "live.json").write_text(json.dumps({"MaxPeers": peers}))
    (tmp_path / "..data").symlink_to("old")
    (tmp_path / "live.json").symlink_to("..data/live.json")
    async with statusd(tmp_path / "a", "-c", str(tmp_path / "live.json")) as node:
        await node.enode()
        (tmp_path / "..next").symlink_to("new")
        (tmp_path / "..next").replace(tmp_path / "..data")
        await node.logged(r"Configuration reloaded.*MaxPeers")
        assert "\np2p_peers_max 4\n" in (await page(node, "/metrics"))[1]


async def test_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    async with statusd(tmp_path) as node:
        await node.enode()
        node.config.write_text('{"MaxPeers": ')
        await node.logged(r"Configuration not reloaded.*no JSON")
        node.rewrite(MaxPeers="many")
        await node.logged(r"Configuration not reloaded.*MaxPeers: want an integer")
        node.rewrite(WhisperConfig={"Enabled": True})
        await node.logged(r"Configuration not reloaded.*WhisperConfig\.Enabled")
        assert "\np2p_peers_max 25\n" in (await page(node, "/metrics"))[1]
        node.rewrite(MaxPeers=9)
        await node.logged(r"Configuration reloaded")


async def test_sighup_reloads_and_names_what_needs_a_restart(tmp_path: Path) -> None:
    async with statusd(tmp_path) as node:
        await node.enode()
        node.rewrite(HTTPPort=1234)
        await node.logged(r"only after a restart.*HTTPPort")
        seen = len(node.lines)
        node.process.send_signal(signal.SIGHUP)
        await node.logged(r"only after a restart.*HTTPPort", seen)


async def test_unknown_keys_and_bad_entries_are_named(tmp_path: Path) -> None:
    cluster = {"Enabled": True, "StaticNodes": ["enode://nope"], "Bootnods": []}
    waku = {"Enabled": True, "SoftBlacklistedPeerIDs": ["0x12"]}
    async with statusd(tmp_path, ClusterConfig=cluster, WakuConfig=waku) as node:
        await node.logged(r"Unknown key.*key=ClusterConfig\.Bootnods")
        await node.logged(r"Bad entry.*ClusterConfig\.StaticNodes\[0\]")
        await node.logged(r"Bad entry.*WakuConfig\.SoftBlacklistedPeerIDs\[0\]")
        await until_ready(node)


async def test_a_log_file_takes_the_log(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "node.log"
    async with statusd(tmp_path, LogFile=str(path)) as node:

        async def logged() -> bool:
            return path.exists() and "Metrics endpoint opened" in path.read_text()

        await eventually(logged)
        assert await node.stop() == 0
        assert node.lines == []
    assert "Node stopped" in path.read_text()


async def test_a_failed_start_is_told_even_if_the_log_is_a_file(tmp_path: Path) -> None:
    settings = {"LogFile": str(tmp_path / "node.log"), "ListenAddr": "nowhere"}
    async with statusd(tmp_path, "-addr", "", **settings) as node:
        assert await node.ended() == 1
        await node.logged(r'^statusd: ListenAddr: cannot listen on "nowhere"')
    assert "Node start failed" in (tmp_path / "node.log").read_text()


async def test_a_node_without_waku_runs(tmp_path: Path) -> None:
    async with statusd(tmp_path, WakuConfig={"Enabled": False}) as node:
        await until_ready(node)
        assert await node.stop() == 0
