"""Scenes with nodes of both kinds: `statusd` of status-go, and ours, in one namespace.

Both take the same flags and the same configuration, tell the same lines in their logs, and are
called over their unix sockets.
"""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from statusnode.crypto.keccak import keccak256
from support.loopback import Loopback, loopback, loopback_possible
from support.rpc_client import StreamCaller, stream_caller
from support.statusd_process import STATUSD as OURS
from support.statusd_process import Statusd, eventually, statusd
from support.waku_peer import WakuPeer, waku_peer

REFERENCE = os.environ.get("STATUSD", "")
FULL_NODE: dict[str, Any] = {"Enabled": True, "FullNode": True}
MAIL_PASSWORD = "status-offline-inbox"
MAILSERVER = FULL_NODE | {"EnableMailServer": True, "MailServerPassword": MAIL_PASSWORD}
CHAT = "testing-statusd"
_FETCH = "import sys, urllib.request as web; print(web.urlopen(sys.argv[1]).read().decode())"

Message = dict[str, Any]


def needs_reference() -> list[pytest.MarkDecorator]:
    """Return the marks of a test file that talks to the reference node."""
    return [
        pytest.mark.skipif(not REFERENCE, reason="needs STATUSD: the path of a statusd 0.68.4"),
        pytest.mark.skipif(
            bool(REFERENCE) and not loopback_possible(),
            reason="needs STATUSD in a network namespace: root, or user namespaces",
        ),
        # A first build of the Go peer takes minutes.
        pytest.mark.timeout(900),
    ]


def topic_of_chat(name: str = CHAT) -> str:
    """Return the topic of a public chat, 0x-hex."""
    return "0x" + keccak256(name.encode())[:4].hex()


def base64_of(data: bytes) -> str:
    """Write bytes as waku_post takes them."""
    return base64.b64encode(data).decode()


@dataclass
class Party:
    """A running node of either kind, and who calls it."""

    name: str
    node: Statusd
    call: StreamCaller
    enode: str
    metrics_url: str
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def public_key(self) -> str:
        """The public key as enode URLs have it."""
        return self.enode.removeprefix("enode://").partition("@")[0]

    async def dial(self, other: Party) -> None:
        """Connect to another party, and wait until both know it."""
        await self.call("admin_addPeer", other.enode)
        await eventually(lambda: self.knows(other))
        await eventually(lambda: other.knows(self))

    async def knows(self, other: Party) -> bool:
        """Tell whether there is a session with the other party."""
        return any(other.public_key in peer["enode"] for peer in await self.call("admin_peers"))

    async def password_key(self, password: str = CHAT) -> str:
        """Return the id of the symmetric key that a password stands for."""
        if password not in self.keys:
            key = await self.call("waku_generateSymKeyFromPassword", password)
            self.keys[password] = key
        return self.keys[password]

    async def listen(self, chat: str = CHAT, **criteria: object) -> str:
        """Install a filter on a public chat; returns its id."""
        wanted = {"symKeyID": await self.password_key(chat), "topics": [topic_of_chat(chat)]}
        return str(await self.call("waku_newMessageFilter", wanted | criteria))

    async def say(self, payload: bytes, chat: str = CHAT, **fields: object) -> str:
        """Post to a public chat; returns the hash of the envelope, 0x-hex."""
        message = {
            "symKeyID": await self.password_key(chat),
            "topic": topic_of_chat(chat),
            "payload": base64_of(payload),
            "ttl": 60,
            "powTime": 5,
            "powTarget": 0.000002,
        }
        return str(await self.call("waku_post", message | fields))

    async def hear(self, filter_id: str, count: int = 1) -> list[Message]:
        """Wait until a filter has caught so many messages; more than those are an error."""
        heard: list[Message] = []

        async def enough() -> bool:
            heard.extend(await self.call("waku_getFilterMessages", filter_id))
            return len(heard) >= count

        await eventually(enough)
        assert len(heard) == count, heard
        return heard


@dataclass
class Scene:
    """A namespace and whoever is in it; all are gone when the scene is over."""

    folder: Path
    loopback: Loopback
    _stack: AsyncExitStack
    _metrics_port: int = 9304

    async def theirs(self, name: str = "theirs", **settings: object) -> Party:
        """Start a node of the reference."""
        # Else it would keep what it knows of Ethereum's networks in the home of whoever tests.
        return await self._start(name, REFERENCE, {"NoDiscovery": True} | settings)

    async def ours(self, name: str = "ours", **settings: object) -> Party:
        """Start a node of ours."""
        return await self._start(name, OURS, settings)

    async def _start(self, name: str, program: str, settings: dict[str, Any]) -> Party:
        socket = self.folder / f"{name}.ipc"
        # The reference does not tell a port that it chose; here nobody else wants this one.
        self._metrics_port += 1
        metrics_port = self._metrics_port
        node = await self._stack.enter_async_context(
            statusd(
                self.folder / name,
                *("-ipc", "-ipcfile", str(socket), "-metrics-port", str(metrics_port)),
                command=self.loopback.inside(program),
                **settings,
            )
        )
        enode = await node.enode()
        await node.logged("IPC endpoint opened")
        call = await self._stack.enter_async_context(stream_caller(socket))
        return Party(name, node, call, enode, f"http://127.0.0.1:{metrics_port}/metrics")

    async def peer(self, version: int = 1, **options: object) -> WakuPeer:
        """Start a scripted Waku node, which tells these options (everything, if none)."""
        return await self._stack.enter_async_context(
            waku_peer(version, within=self.loopback.join, **options)
        )

    async def run(self, program: str, *arguments: str) -> tuple[int, str]:
        """Run a program to its end; returns its exit code and what it wrote to standard output."""
        process = await asyncio.create_subprocess_exec(
            *self.loopback.inside(program, *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    async def metrics(self, party: Party) -> str:
        """Return what a node tells Prometheus."""
        code, text = await self.run(sys.executable, "-c", _FETCH, party.metrics_url)
        assert code == 0
        return text


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """Set up a scene whose files lie in `folder`."""
    async with loopback() as namespace, AsyncExitStack() as stack:
        yield Scene(folder, namespace, stack)
