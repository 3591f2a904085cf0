"""Requests to the API server and their answers: bounded in time and number, with typed errors.

Stands on the transport of the official client (`kubernetes.aio`: TLS, credentials, connections),
and leaves its thousand typed models alone. Never tries again: who decides on that is above.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from kubernetes.aio.client.api_client import ApiClient

from statusfleet.kube.answers import error_of
from statusfleet.kube.connection import Connection
from statusfleet.kube.errors import NotLeaderError, TransientError
from statusfleet.kube.kinds import JsonDict
from statusfleet.kube.requests import Request

_LONGEST_LINE: Final = 16 * 1024 * 1024
"""Far more than the API server takes for an object."""


class Transport:
    """Connections to one API server, as one user."""

    def __init__(
        self,
        connection: Connection,
        *,
        timeout_seconds: float,
        parallel: int,
        may_write: Callable[[], bool],
        user_agent: str,
    ) -> None:
        connection.configuration.connection_pool_maxsize = 0  # bounded by the slots below
        self._api: Any = ApiClient(connection.configuration)  # annotated in parts only
        self._api.user_agent = user_agent
        self._timeout_seconds = timeout_seconds
        self._slots = asyncio.Semaphore(parallel)
        self._may_write = may_write

    async def close(self) -> None:
        """Let all connections go."""
        await self._api.close()

    async def exchange(self, request: Request) -> JsonDict:
        """Send a request and return the answer; raises AnswerError, NotLeaderError."""
        timeout = aiohttp.ClientTimeout(total=self._timeout_seconds)
        async with self._slots:
            if request.method != "GET" and not self._may_write():
                raise NotLeaderError(f"{request.what}: this process leads no more")
            async with self._sent(request, timeout) as response:
                data = await response.read()
        return _decoded(request, response.status, data)

    async def lines(
        self,
        request: Request,
        *,
        total_seconds: float | None,
        silence_seconds: float | None = None,
        accepted: Callable[[], None] | None = None,
    ) -> AsyncIterator[bytes]:
        """Send a request and give its answer line by line as it comes; raises AnswerError.

        Takes no slot, since it may last. `total_seconds` is for the whole answer, `silence_seconds`
        for the time in which nothing comes, None: no bound. `accepted` is called when the server
        has taken the request, and may have nothing to say yet.
        """
        timeout = aiohttp.ClientTimeout(
            total=total_seconds, sock_connect=self._timeout_seconds, sock_read=silence_seconds
        )
        async with self._sent(request, timeout) as response:
            if accepted is not None:
                accepted()
            rest = b""
            # aiohttp's own lines end at a size that an object may exceed.
            async for data in response.content.iter_any():
                *whole, rest = (rest + data).split(b"\n")
                for line in whole:
                    yield line + b"\n"
                if len(rest) > _LONGEST_LINE:
                    raise TransientError(request.what, "a line without an end")
            if rest:
                yield rest

    @asynccontextmanager
    async def _sent(
        self, request: Request, timeout: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request; give the answer, if it is not a refusal."""
        try:
            response = await self._send(request, timeout)
            try:
                if not 200 <= response.status < 300:
                    data, wait = await response.read(), response.headers.get("Retry-After")
                    raise error_of(request.what, response.status, data, wait)
                yield response
            finally:
                # Read to its end it has let its connection go already, which is kept for others.
                if (connection := response.connection) is not None and connection.transport:
                    # A goodbye by TLS would wait for the server's, and the socket with it.
                    connection.transport.abort()
                response.close()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            told = "no answer in time" if isinstance(error, TimeoutError) else str(error)
            raise TransientError(request.what, told or type(error).__name__) from error

    async def _send(
        self, request: Request, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        # A list, not a dictionary, which the client would give its own meaning.
        query = [(key, value) for key, value in request.query.items() if value]
        method, url, headers, *_ = await self._api.param_serialize(
            request.method,
            quote(request.path),
            query_params=query,
            header_params={"Accept": request.accept, "Content-Type": request.content_type},
            auth_settings=["BearerToken"],
        )
        answer = await self._api.rest_client.request(
            method, url, headers=headers, body=request.body, _request_timeout=timeout
        )
        response: aiohttp.ClientResponse = answer.response
        return response


def _decoded(request: Request, status: int, data: bytes) -> JsonDict:
    try:
        answer: Any = json.loads(data)
    except ValueError as error:
        raise TransientError(request.what, f"no JSON: {error}", status=status) from error
    if not isinstance(answer, dict):
        raise TransientError(request.what, "the answer is no object", status=status)
    return answer
