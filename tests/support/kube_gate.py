"""A gate before a real API server: everything passes, and after a chosen write somebody is struck.

    operator ── HTTP on the loopback ──> gate ── TLS ──> API server

The write itself is done by then, and its answer never arrives: the worst moment to die at. Chosen
answers can also be held back, as by a connection that is dead and does not say so.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from statusfleet.kube.connection import load_connection

_READS = {"GET", "HEAD"}
_UNCOUNTED = ("leases", "events")
_HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


class Gate:
    """Passes requests on, and counts the writes."""

    def __init__(self, session: aiohttp.ClientSession, server: str, kubeconfig: Path) -> None:
        self.kubeconfig = str(kubeconfig)
        self.struck = asyncio.Event()
        self._session = session
        self._server = server
        self._left = 0
        self._strike: Callable[[], None] = lambda: None
        self._is_held: Callable[[web.Request], bool] = lambda _request: False
        self._released = asyncio.Event()
        self._passing: dict[int, web.Request] = {}

    def hold(self, which: Callable[[web.Request], bool]) -> None:
        """Let nothing more of the answers to these requests through."""
        self._released.clear()
        self._is_held = which

    def release(self) -> None:
        """Let everything through; connections that were held break."""
        self._is_held = lambda _request: False
        self._released.set()

    def cut(self, which: Callable[[web.Request], bool]) -> None:
        """Break the connections of these requests."""
        for request in filter(which, self._passing.values()):
            assert request.transport is not None
            request.transport.abort()

    def strike_after(self, writes: int, strike: Callable[[], None]) -> None:
        """Call `strike` when so many further writes are done; Leases and Events do not count."""
        self.struck.clear()
        self._left, self._strike = writes, strike

    async def passed(self, request: web.Request) -> web.StreamResponse:
        """Have the API server answer a request."""
        async with self._session.request(
            request.method,
            f"{self._server}{request.path_qs}",
            headers=_kept(request.headers),
            data=await request.read() or None,
        ) as answer:
            if request.method not in _READS and 200 <= answer.status < 300:
                self._count(request.path)
            try:
                return await self._relayed(request, answer)
            finally:
                if (connection := answer.connection) is not None and connection.transport:
                    # Not read to its end; a goodbye by TLS could outlast the test.
                    connection.transport.abort()

    async def _relayed(
        self, request: web.Request, answer: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=_kept(answer.headers))
        await response.prepare(request)
        self._passing[id(request)] = request
        try:
            async for chunk in answer.content.iter_any():
                if self._is_held(request):
                    await self._released.wait()
                    assert request.transport is not None
                    request.transport.abort()
                    return response
                await response.write(chunk)
        finally:
            del self._passing[id(request)]
        await response.write_eof()
        return response

    def _count(self, path: str) -> None:
        if any(part in _UNCOUNTED for part in path.split("/")):
            return
        self._left -= 1
        if self._left == 0:
            self._strike()
            self.struck.set()


@asynccontextmanager
async def gate(kubeconfig: str, folder: Path) -> AsyncIterator[Gate]:
    """Open a gate before the cluster of a kubeconfig, whose user everybody is who comes through."""
    found: Any = (await load_connection(kubeconfig)).configuration  # annotated in parts only
    trust = ssl.create_default_context(cafile=found.ssl_ca_cert)
    if not found.verify_ssl:
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    if found.cert_file:
        trust.load_cert_chain(found.cert_file, keyfile=found.key_file)
    token = await found.get_api_key_with_prefix("BearerToken")
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trust, limit=0),
        timeout=aiohttp.ClientTimeout(total=None),
        headers={"Authorization": token} if token else {},
        auto_decompress=False,
    )
    path = folder / "gate.conf"
    async with session:
        opened = Gate(session, found.host, path)
        application = web.Application(client_max_size=1 << 26)
        application.router.add_route("*", "/{path:.*}", opened.passed)
        runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            path.write_text(_kubeconfig(runner.addresses[0][1]))
            yield opened
        finally:
            await runner.cleanup()


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}


def _kubeconfig(port: int) -> str:
    context = {"name": "gate", "context": {"cluster": "gate", "user": "gate"}}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "gate", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "gate", "user": {}}],
        "contexts": [context],
        "current-context": "gate",
    }
    return json.dumps(document)
