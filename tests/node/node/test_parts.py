"""The parts of a node joined: JSON-RPC, mailserver, worker processes, and what becomes of them."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from pathlib import Path

import aiohttp
import psutil
import pytest

from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record
from support.processes import lives
from support.statusd_process import Statusd, eventually, statusd

HTTP = {
    "HTTPEnabled": True,
    "HTTPHost": "127.0.0.1",
    "HTTPPort": 0,
    "APIModules": "admin,web3,waku,wakuext",
}
MAILSERVER = {
    "Enabled": True,
    "FullNode": True,
    "EnableMailServer": True,
    "MailServerPassword": "status-offline-inbox",
}


async def call(node: Statusd, method: str, *params: object) -> object:
    url = (await node.logged(r"HTTP endpoint opened.* url=(\S+)")).group(1)
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with aiohttp.ClientSession() as session, session.post(url, json=request) as response:
        answer = await response.json()
    assert "error" not in answer, answer
    return answer["result"]


async def call_ipc(path: Path, method: str) -> object:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method}).encode())
    answer = json.loads(await reader.readline())
    writer.close()
    await writer.wait_closed()
    return answer["result"]


def children(node: Statusd) -> list[psutil.Process]:
    return psutil.Process(node.process.pid).children(recursive=True)


async def gone(processes: list[psutil.Process]) -> bool:
    return not any(lives(process) for process in processes)


async def test_http_serves_what_is_listed_and_ipc_everything(tmp_path: Path) -> None:
    settings = HTTP | {"APIModules": "web3", "IPCEnabled": True, "IPCFile": "node.ipc"}
    async with statusd(tmp_path, **settings) as node:
        assert await call(node, "rpc_modules") == {"rpc": "1.0", "web3": "1.0"}
        path = tmp_path / "data" / "node.ipc"
        modules = await call_ipc(path, "rpc_modules")
        assert isinstance(modules, dict)
        assert {"admin", "waku", "wakuext", "web3"} <= set(modules)
        assert await node.stop() == 0
        assert not path.exists()


async def test_an_http_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with statusd(tmp_path, **(HTTP | {"HTTPPort": port})) as node:
            assert await node.ended() == 1
            await node.logged(rf"Node start failed.*HTTPHost 127\.0\.0\.1, HTTPPort {port}")


async def test_an_ipc_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    name = str(tmp_path / ("a" * 120))
    async with statusd(tmp_path, IPCEnabled=True, IPCFile=name) as node:
        assert await node.ended() == 1
        await node.logged(r"Node start failed.*IPCFile .*a{120}")


async def test_minimum_pow_of_the_configuration_holds_and_is_reloaded(tmp_path: Path) -> None:
    waku = {"Enabled": True, "MinimumPoW": 0.01}
    async with statusd(tmp_path, **HTTP, WakuConfig=waku) as node:
        assert await call(node, "waku_info") == {
            "messages": 0,
            "minPow": 0.01,
            "maxMessageSize": 1048576,
        }
        node.rewrite(**HTTP, WakuConfig=waku | {"MinimumPoW": 0.002, "MaxMessageSize": 2048})
        await node.logged(r"Configuration reloaded.*MinimumPoW")
        info = await call(node, "waku_info")
        assert isinstance(info, dict)
        assert info["minPow"] == 0.002
        assert info["maxMessageSize"] == 2048


async def test_the_record_of_the_operator_is_shown(tmp_path: Path) -> None:
    key = PrivateKey.generate()
    records = [str(Record.sign(key, seq, ip="10.0.0.1", tcp=443)) for seq in (4, 5)]
    settings = HTTP | {"NodeKey": key.data.hex()}
    async with statusd(tmp_path, **settings, StatusFleet={"Record": records[0]}) as node:
        info = await call(node, "admin_nodeInfo")
        assert isinstance(info, dict)
        assert info["enr"] == records[0]
        node.rewrite(**settings, StatusFleet={"Record": records[1]})
        await node.logged(r"Configuration reloaded.*StatusFleet\.Record")
        info = await call(node, "admin_nodeInfo")
        assert isinstance(info, dict)
        assert info["enr"] == records[1]


async def test_no_secret_is_logged_at_any_level(tmp_path: Path) -> None:
    node_key, message_key = PrivateKey.generate().data.hex(), PrivateKey.generate().data.hex()
    password = "open sesame 4711"
    waku = MAILSERVER | {
        "MailServerPassword": password,
        "DatabaseConfig": {"PGConfig": {"URI": f"postgres://u:{password}@h/d"}},
    }
    settings = HTTP | {"NodeKey": node_key, "WakuConfig": waku}
    async with statusd(tmp_path, "-log", "TRACE", **settings) as node:
        await call(node, "waku_addPrivateKey", f"0x{message_key}")
        await call(node, "waku_addSymKey", f"0x{message_key}")
        await call(node, "waku_generateSymKeyFromPassword", password)
        for wrong in (f"0x{message_key}00", message_key, f"0x{message_key[1:]}"):
            for method in ("waku_addPrivateKey", "waku_addSymKey"):
                with pytest.raises(AssertionError, match="error"):
                    await call(node, method, wrong)
        node.rewrite(**settings, MaxPeers=3)
        await node.logged("Configuration reloaded")
        node.rewrite(NodeKey=node_key[:-1], MailServerPassword=password)
        await node.logged("Configuration not reloaded")
        assert await node.stop() == 0
        log = "\n".join(node.lines)
    assert "config=" in log
    for secret in (node_key[1:-1], message_key[1:-1], password):
        assert secret not in log


async def test_a_mailserver_opens_its_archive_and_closes_it(tmp_path: Path) -> None:
    async with statusd(tmp_path, WakuConfig=MAILSERVER) as node:
        url = f"http://127.0.0.1:{await node.metrics_port()}"

        async def ready() -> bool:
            async with aiohttp.ClientSession() as session, session.get(f"{url}/ready") as found:
                return found.status == 200

        await eventually(ready)
        async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as response:
            text = await response.text()
        folder = tmp_path / "data" / "waku"
        assert f'mailserver_archived_envelopes_total{{db="{folder}"}} 0\n' in text
        workers = children(node)
        assert workers
        assert await node.stop() == 0
        assert await gone(workers)
    assert sorted(path.name for path in folder.iterdir()) == ["archive.sqlite"]


async def test_a_mailserver_without_a_password_is_refused(tmp_path: Path) -> None:
    waku = MAILSERVER | {"MailServerPassword": ""}
    async with statusd(tmp_path, WakuConfig=waku) as node:
        assert await node.ended() == 1
        await node.logged(r"^statusd: WakuConfig\.MailServerPassword: must be set")


async def test_a_corrupt_archive_is_refused_until_it_may_be_moved_aside(tmp_path: Path) -> None:
    archive = tmp_path / "data" / "waku" / "archive.sqlite"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"garbage " * 1000)
    async with statusd(tmp_path, WakuConfig=MAILSERVER) as node:
        assert await node.ended() == 1
        await node.logged(r"Node start failed.*archive\.sqlite is corrupt.*-recover")
    assert archive.read_bytes().startswith(b"garbage")
    async with statusd(tmp_path, "-recover", WakuConfig=MAILSERVER) as node:
        aside = await node.logged(r"Corrupt archive moved aside.* path=(\S+)")
        await node.enode()
        assert await node.stop() == 0
    assert (tmp_path / aside.group(1)).read_bytes().startswith(b"garbage")
    assert archive.exists()


async def test_an_archive_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "waku").write_text("")
    async with statusd(tmp_path, WakuConfig=MAILSERVER) as node:
        assert await node.ended() == 1
        await node.logged(r"Node start failed.*archive")


async def test_no_worker_outlives_a_node_that_was_killed(tmp_path: Path) -> None:
    async with statusd(tmp_path, **HTTP, WakuConfig=MAILSERVER) as node:
        key = await call(node, "waku_newSymKey")
        post = {"symKeyID": key, "topic": "0x01020304", "payload": "aGk=", "ttl": 10}
        # More work than can be done, so that the miner is in the middle of it.
        mining = asyncio.create_task(
            call(node, "waku_post", post | {"powTime": 600, "powTarget": 1e12})
        )

        async def mines() -> bool:
            return any("mining" in " ".join(child.cmdline()) for child in children(node))

        await eventually(mines)
        workers = children(node)
        assert len(workers) >= 2
        assert await node.stop(signal.SIGKILL) == -signal.SIGKILL
        await eventually(lambda: gone(workers))
        (outcome,) = await asyncio.gather(mining, return_exceptions=True)
        assert isinstance(outcome, aiohttp.ClientError)


async def test_a_node_stops_while_it_mines(tmp_path: Path) -> None:
    async with statusd(tmp_path, **HTTP) as node:
        key = await call(node, "waku_newSymKey")
        post = {"symKeyID": key, "topic": "0x01020304", "payload": "aGk=", "ttl": 10}
        mining = asyncio.create_task(
            call(node, "waku_post", post | {"powTime": 600, "powTarget": 1e12})
        )

        async def mines() -> bool:
            return bool(children(node))

        await eventually(mines)
        assert await node.stop(signal.SIGINT) == 0
        await asyncio.gather(mining, return_exceptions=True)
