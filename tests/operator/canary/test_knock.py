"""The program that dials one node: what its exit code and its last line say."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from statusfleet.canary.knock import NOT_REACHED, knock_on, knocker
from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.server import Server, ServerConfig
from statusnode.records.enode import Enode

KEY = PrivateKey(b"\x11" * 32)
STRANGER = PrivateKey(b"\x12" * 32)
COMMAND = (sys.executable, "-m", "statusfleet.canary.knock")


@asynccontextmanager
async def node(key: PrivateKey) -> AsyncIterator[int]:
    server = Server(ServerConfig("a node", "127.0.0.1:0"), key, [])
    await server.start()
    try:
        yield server.self_enode.tcp
    finally:
        await server.stop()


def at(port: int) -> Enode:
    return Enode(KEY.public_key, "127.0.0.1", port, 0)


async def test_a_node_is_reached_though_it_has_nothing_to_say_to_us() -> None:
    async with node(KEY) as port:
        assert await knocker(PrivateKey.generate())(at(port)) == ""


async def test_another_node_at_the_address_does_not_count() -> None:
    async with node(STRANGER) as port:
        assert await knocker(PrivateKey.generate())(at(port)) != ""


async def test_a_closed_port_is_told() -> None:
    async with node(KEY) as port:
        pass
    assert "no connection" in await knock_on(at(port), patience_seconds=0)


async def test_a_node_that_listens_a_moment_later_is_reached() -> None:
    async with node(KEY) as port:
        pass
    knocking = asyncio.create_task(knock_on(at(port), patience_seconds=60))
    await asyncio.sleep(0.2)
    server = Server(ServerConfig("a node", f"127.0.0.1:{port}"), KEY, [])
    await server.start()
    assert await knocking == ""
    await server.stop()


async def ran(*words: str) -> tuple[int | None, str, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*COMMAND, *words, stdout=pipe, stderr=pipe)
    out, errors = await process.communicate()
    return process.returncode, out.decode(), errors.decode()


async def test_the_program_says_by_its_exit_code_whether_the_node_was_reached() -> None:
    async with node(KEY) as port:
        assert await ran(str(at(port))) == (0, "", "")
    async with node(STRANGER) as port:
        code, said, errors = await ran(str(at(port)))
    assert (code, errors) == (NOT_REACHED, "")
    assert len(said.splitlines()) == 1


async def test_the_program_says_what_it_wants_to_be_told() -> None:
    code, said, _ = await ran("nonsense")
    assert code == 2
    assert "ENODE" in said
