"""`wakuext_…`: what a node asks of mailservers for its user (status-go, `services/wakuext`).

A request goes to a connected mailserver; what it finds comes as direct messages, which reach the
filters that allow them. Of the other methods that status-go has under this name, all belong to
its application.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from statusnode.crypto.keys import PrivateKey, PublicKey
from statusnode.mailserver.archive import CURSOR_SIZE
from statusnode.mailserver.client import OutgoingRequest, sealed_request
from statusnode.mailserver.request import MailRequest
from statusnode.mailserver.response import Failure, ResponseError, decode
from statusnode.messages.bloom import bloom_bytes, bloom_of
from statusnode.messages.keystore import UnknownKeyError
from statusnode.records.enode import Enode, EnodeError
from statusnode.rpc.backend import Messaging
from statusnode.rpc.dispatch import Method, Namespace
from statusnode.rpc.errors import RpcError
from statusnode.rpc.nodes import parse_enode
from statusnode.rpc.values import (
    Result,
    boolean,
    duration,
    integer,
    list_of,
    record,
    text,
    to_hex,
    topic_of,
    uint32,
)

_log = logging.getLogger(__name__)

_DAY_SECONDS: Final = 86400
_REPEAT_SECONDS: Final = 3.0
_MAX_REMEMBERED: Final = 1024
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})*", re.ASCII)
_NANOSECONDS: Final = 1_000_000_000
_TOPIC: Final = topic_of("types.TopicType")


@dataclass(frozen=True, slots=True)
class _Query:
    """What to ask which mailserver."""

    mailserver: str = ""
    lower: int = 0
    upper: int = 0
    limit: int = 0
    cursor: str = ""
    topic: bytes = bytes(4)
    topics: Sequence[bytes] = ()
    symmetric_key_id: str = ""
    timeout_seconds: int = 0
    """Taken, as the protocol has it; an answer that comes later is not refused."""
    force: bool = False

    def with_range(self, now: int) -> _Query:
        """Fill in the range: until now, from a day before its end."""
        upper = self.upper or now
        return replace(self, upper=upper, lower=self.lower or max(0, upper - _DAY_SECONDS))


@dataclass(frozen=True, slots=True)
class _Retries:
    """How long to wait for an answer, and how often to ask again; nanoseconds."""

    base_timeout_ns: int = 0
    step_timeout_ns: int = 0
    max_retries: int = 0


_QUERY: Final = record(
    _Query,
    "ext.MessagesRequest",
    {
        "mailServerPeer": ("mailserver", text),
        "from": ("lower", uint32),
        "to": ("upper", uint32),
        "limit": ("limit", uint32),
        "cursor": ("cursor", text),
        "topic": ("topic", _TOPIC),
        "topics": ("topics", list_of(_TOPIC, "[]types.TopicType")),
        "symKeyID": ("symmetric_key_id", text),
        "timeout": ("timeout_seconds", duration),
        "force": ("force", boolean),
    },
)
_RETRIES: Final = record(
    _Retries,
    "ext.RetryConfig",
    {
        "BaseTimeout": ("base_timeout_ns", duration),
        "StepTimeout": ("step_timeout_ns", duration),
        "MaxRetries": ("max_retries", integer),
    },
)


def wakuext(messaging: Messaging, key: PrivateKey, now: Callable[[], float]) -> Namespace:
    """Make the namespace; `key` signs requests, `now` is unix seconds."""
    calls = _WakuExt(messaging, key, now)
    return Namespace(
        "wakuext",
        {
            "echo": Method(_echo, text),
            "requestMessages": Method(calls.request_messages, _QUERY),
            "requestMessagesSync": Method(calls.request_messages_sync, _RETRIES, _QUERY),
        },
    )


def _echo(message: str) -> Result:
    return message


class _WakuExt:
    def __init__(self, messaging: Messaging, key: PrivateKey, now: Callable[[], float]) -> None:
        self._relay = messaging.relay
        self._keys = messaging.keys
        self._miner = messaging.miner
        self._key = key
        self._now = now
        self._asked: dict[frozenset[bytes], float] = {}

    async def request_messages(self, query: _Query) -> Result:
        mailserver, request = await self._prepare(query)
        self._ask(mailserver, request, query)
        return to_hex(request.request_id)

    async def request_messages_sync(self, retries: _Retries, query: _Query) -> Result:
        attempts = max(0, retries.max_retries + 1)
        for attempt in range(attempts):
            timeout_ns = retries.base_timeout_ns + attempt * retries.step_timeout_ns
            try:
                return await self._ask_and_wait(query, timeout_ns / _NANOSECONDS)
            except TimeoutError:
                continue
        raise RpcError(f"failed to request messages after {attempts} retries")

    async def _ask_and_wait(self, query: _Query, timeout_seconds: float) -> Result:
        # Only the end of the answer matters: its envelopes are for the filters. So several
        # requests to one mailserver do not get in each other's way.
        mailserver, request = await self._prepare(query)
        answered: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

        def hear(node_id: bytes, data: bytes) -> None:
            if node_id != mailserver.node_id or answered.done():
                return
            try:
                response = decode(data)
            except ResponseError:
                return
            if response.request_id != request.request_id:
                return
            if isinstance(response, Failure):
                _log.warning("The mailserver refused a request", extra={"err": response.text})
                # All that Go's encoder leaves of an error, and what callers look for.
                answered.set_result({"cursor": "", "error": {}})
            else:
                answered.set_result({"cursor": response.cursor.hex(), "error": None})

        stop_hearing = self._relay.on_mail_response(hear)
        try:
            self._ask(mailserver, request, query)
            async with asyncio.timeout(timeout_seconds):
                return await answered
        finally:
            stop_hearing()

    async def _prepare(self, query: _Query) -> tuple[Enode, OutgoingRequest]:
        now = self._now()
        query = query.with_range(int(now))
        if query.lower > query.upper:
            raise RpcError(f"Query range is invalid: from > to ({query.lower} > {query.upper})")
        mailserver = _mailserver(query.mailserver)
        recipient = self._recipient(query, mailserver)
        request = MailRequest(
            lower=query.lower,
            upper=query.upper,
            bloom=bloom_bytes(bloom_of(query.topics or (query.topic,))),
            topics=tuple(query.topics),
            limit=query.limit,
            cursor=_cursor(query.cursor),
        )
        sealed = await sealed_request(
            request,
            recipient=recipient,
            signer=self._key,
            min_pow=self._relay.info().min_pow,
            miner=self._miner,
            now=now,
        )
        return mailserver, sealed

    def _recipient(self, query: _Query, mailserver: Enode) -> bytes | PublicKey:
        if not query.symmetric_key_id:
            return mailserver.public_key
        try:
            return self._keys.symmetric_key(query.symmetric_key_id)
        except UnknownKeyError as error:
            raise RpcError(f"invalid symKeyID value: {error}") from error

    def _ask(self, mailserver: Enode, request: OutgoingRequest, query: _Query) -> None:
        topics, now = frozenset(query.topics), self._now()
        if not query.force and now - self._asked.get(topics, 0.0) < _REPEAT_SECONDS:
            raise RpcError(
                f"another request with the same topics was sent less than {_REPEAT_SECONDS:g}s "
                "ago. Please wait for a bit longer, or set `force` to true in request parameters"
            )
        self._relay.send_mail_request(mailserver.node_id, request.payload)
        if not query.force:
            self._asked.pop(topics, None)
            self._asked[topics] = now
            if len(self._asked) > _MAX_REMEMBERED:
                del self._asked[next(iter(self._asked))]


def _mailserver(url: str) -> Enode:
    if not url:
        raise RpcError("invalid mailServerPeer value: no connected mail servers")
    try:
        return parse_enode(url)
    except EnodeError as error:
        raise RpcError(f"invalid mailServerPeer value: {error}") from error


def _cursor(digits: str) -> bytes:
    if not _HEX.fullmatch(digits):
        raise RpcError("invalid cursor: it is not written in pairs of hex digits")
    cursor = bytes.fromhex(digits)
    if cursor and len(cursor) != CURSOR_SIZE:
        raise RpcError(f"invalid cursor size: expected {CURSOR_SIZE} but got {len(cursor)}")
    return cursor
