"""What strangers send to the HTTP ports is no error of the node."""

from __future__ import annotations

import asyncio
from pathlib import Path

from support.statusd_process import statusd

HTTP = {"HTTPEnabled": True, "HTTPHost": "127.0.0.1", "HTTPPort": 0, "APIModules": "web3"}
NOISE = (
    b"\x16\x03\x01\x02\x00\x01",
    b"no http at all\r\n\r\n",
    b"POST / HTTP/1.1\r\n\r\n",
    b"\r\n" * 99,
)


async def say(port: int, data: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    writer.write_eof()
    async with asyncio.timeout(60):
        await reader.read()
    writer.close()
    await writer.wait_closed()


async def test_noise_on_the_ports_of_http_is_no_error_in_the_log(tmp_path: Path) -> None:
    async with statusd(tmp_path, **HTTP) as node:
        rpc = int((await node.logged(r"HTTP endpoint opened.* url=http://[^:]+:(\d+)")).group(1))
        for port in (rpc, await node.metrics_port()):
            for data in NOISE:
                await say(port, data)
        assert await node.stop() == 0
        assert [line for line in node.lines if "lvl=eror" in line or "stack=" in line] == []
