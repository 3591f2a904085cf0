"""JSON-RPC over HTTP: one document a request, one answer, no notifications.

Status codes and texts are go-ethereum's: an empty GET is a health check and gets 200; whatever is
answered in JSON-RPC has status 200, errors included.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from statusnode.rpc import message
from statusnode.rpc.cors import CorsPolicy, host_allowed
from statusnode.rpc.dispatch import Dispatcher
from statusnode.rpc.errors import ParseError

_log = logging.getLogger(__name__)

MAX_BODY: Final = 5 << 20
_READ_SECONDS: Final = 30.0
_WRITE_SECONDS: Final = 30.0
_JSON: Final = "application/json"
_CONTENT_TYPES: Final = frozenset({_JSON, "application/json-rpc", "application/jsonrequest"})
_BODILESS: Final = frozenset({"PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where HTTP is served, which namespaces, and to whom."""

    host: str
    port: int
    """0: any that is free."""
    modules: frozenset[str]
    """The namespaces that can be called; `rpc` always can."""
    virtual_hosts: frozenset[str] = frozenset({"localhost"})
    """Names that a Host header may have; `*` for all. IP addresses always pass."""
    cors_origins: frozenset[str] = frozenset()
    """Origins of web pages that may read answers; `*` for all."""


class HttpHandler:
    """Answers every request to a port, whatever its path."""

    def __init__(self, dispatcher: Dispatcher, settings: HttpSettings) -> None:
        self._dispatcher = dispatcher
        self._virtual_hosts = settings.virtual_hosts
        self._cors = CorsPolicy(settings.cors_origins)
        self._stopped = False

    def stop(self) -> None:
        """Serve nothing more on the connections that are left."""
        self._stopped = True

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        response = await self._respond(request)
        if "gzip" in request.headers.get("Accept-Encoding", "") and response.body:
            response.enable_compression(web.ContentCoding.gzip)
        try:
            async with asyncio.timeout(_WRITE_SECONDS):
                await response.prepare(request)
                await response.write_eof()
        except TimeoutError:
            _log.debug("%s does not read its answer", request.remote)
            if request.transport is not None:
                request.transport.abort()
        return response

    async def _respond(self, request: web.Request) -> web.Response:
        if not host_allowed(request.headers.get("Host", ""), self._virtual_hosts):
            return _refusal(403, "invalid host specified")
        if self._cors.origins and self._cors.is_preflight(request.method, request.headers):
            return web.Response(headers=self._cors.preflight_headers(request.headers))
        response = await self._serve(request)
        response.headers.update(self._cors.headers(request.method, request.headers))
        return response

    async def _serve(self, request: web.Request) -> web.Response:
        if request.method == "GET" and not request.query_string and not request.body_exists:
            return web.Response()
        refusal = _judge(request)
        if refusal is not None:
            return refusal
        try:
            async with asyncio.timeout(_READ_SECONDS):
                body = await _read(request)
        except TimeoutError:
            return _refusal(408, "request timeout")
        if body is None:
            return _refusal(413, f"content length too large (>{MAX_BODY})")
        answer = None if self._stopped else await self._answer(body)
        return web.Response(body=answer, content_type=_JSON)

    async def _answer(self, body: bytes) -> bytes | None:
        try:
            incoming = message.parse(body)
        except ParseError:
            return message.line(message.failure("null", ParseError("parse error")))
        return await self._dispatcher.answer(incoming, None)


def _judge(request: web.Request) -> web.Response | None:
    """Refuse what is no JSON-RPC by its headers alone."""
    if request.method in _BODILESS:
        return _refusal(405, "method not allowed")
    length = request.content_length or 0
    if length > MAX_BODY:
        return _refusal(413, f"content length too large ({length}>{MAX_BODY})")
    if request.method != "OPTIONS" and request.content_type not in _CONTENT_TYPES:
        return _refusal(415, f"invalid content type, only {_JSON} is supported")
    return None


async def _read(request: web.Request) -> bytes | None:
    """Read the whole body; None when it is too long."""
    body = bytearray()
    while chunk := await request.content.readany():
        body += chunk
        if len(body) > MAX_BODY:
            return None
    return bytes(body)


def _refusal(status: int, text: str) -> web.Response:
    return web.Response(
        status=status, text=text + "\n", headers={"X-Content-Type-Options": "nosniff"}
    )
