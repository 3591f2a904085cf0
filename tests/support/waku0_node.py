"""A relay of ours that announces waku/0 alone, as a program: no flag of `statusd` does that.

Two nodes that both know waku/1 always speak it, so this is how the older dialect meets the
reference. It prints its enode and runs until its standard input ends.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.server import Server, ServerConfig
from statusnode.relay.host import RelayHost
from statusnode.relay.settings import RelaySettings
from statusnode.relay.status import WAKU_0


def waku0_command() -> tuple[str, ...]:
    """Return the command line of the program."""
    return sys.executable, __file__


@asynccontextmanager
async def waku0_enode(command: Sequence[str]) -> AsyncIterator[str]:
    """Run the program by `command`; gives its enode."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.stdin.close()
        await process.communicate()


async def _run() -> None:
    relay = RelayHost(RelaySettings(full_node=True), time.time)
    protocols = [each for each in relay.subprotocols() if each.capability == WAKU_0.capability]
    config = ServerConfig("Statusd/waku0/test", "127.0.0.1:0")
    server = Server(config, PrivateKey.generate(), protocols)
    await server.start()
    expiring = asyncio.create_task(relay.run())
    try:
        print(server.self_enode, flush=True)  # noqa: T201 - to who started it
        await asyncio.to_thread(sys.stdin.read)
    finally:
        expiring.cancel()
        await asyncio.wait({expiring})
        await server.stop()


if __name__ == "__main__":
    asyncio.run(_run())
