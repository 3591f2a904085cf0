"""The other side of a mailserver: asking it, and taking its answer.

`MailConversation` is fed with packets and knows no sockets; `fetch` runs one over a relay, which
may be that of a whole node or one with a single session. Envelopes of an answer reach the relay's
message filters too, as all direct messages of trusted peers do.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from statusnode.crypto.keys import PrivateKey, PublicKey
from statusnode.mailserver.archive import HASH_SIZE
from statusnode.mailserver.request import MAX_LIMIT, MailRequest
from statusnode.mailserver.response import Failure, ResponseError, decode
from statusnode.mailserver.sealed import draft_request
from statusnode.messages.composing import compose
from statusnode.messages.envelope import Envelope
from statusnode.messages.mining import Miner


class MailRequestError(Exception):
    """A request without a good answer; the message is the server's where it gave one."""


class MailTimeoutError(MailRequestError):
    """No answer came in time."""


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A request as it is sent: the payload of packet 126, and the id that its answer will bear."""

    request_id: bytes
    payload: bytes
    limit: int = MAX_LIMIT
    """How many envelopes the answer may have."""


def plain_request(request: MailRequest, request_id: bytes | None = None) -> OutgoingRequest:
    """Write a request in the plain form; without an id it gets a random one (32 bytes)."""
    request_id = request_id or secrets.token_bytes(HASH_SIZE)
    payload = request.encode_plain(request_id)
    return OutgoingRequest(request_id, payload, request.limit or MAX_LIMIT)


async def sealed_request(
    request: MailRequest,
    *,
    recipient: bytes | PublicKey,
    signer: PrivateKey,
    min_pow: float,
    miner: Miner,
    now: float,
) -> OutgoingRequest:
    """Seal a request for the password's key, or the server's public one, at unix time `now`.

    Raises:
        SymmetricKeyError: the key cannot serve as one.
        MiningError: the proof of work was not found in time.
    """
    envelope = await compose(draft_request(request, recipient, signer, min_pow), miner, now)
    return OutgoingRequest(envelope.hash, envelope.raw, request.limit or MAX_LIMIT)


@dataclass(frozen=True, slots=True)
class MailPage:
    """One answer."""

    envelopes: tuple[Envelope, ...]
    last_hash: bytes
    cursor: bytes
    """What the request of the next page carries; empty: this was the last one."""


class MailConversation:
    """One request and what comes back."""

    def __init__(self, request: OutgoingRequest) -> None:
        self._request = request
        self._envelopes: list[Envelope] = []
        self._page: MailPage | None = None
        self._error: MailRequestError | None = None

    @property
    def over(self) -> bool:
        """Whether the answer has ended."""
        return self._page is not None or self._error is not None

    def envelopes_received(self, envelopes: Sequence[Envelope]) -> None:
        """Take the envelopes of a direct packet (127)."""
        if self.over:
            return
        if len(self._envelopes) + len(envelopes) > self._request.limit:
            self._error = MailRequestError("the mailserver sends more than was asked for")
            return
        self._envelopes += envelopes

    def response_received(self, data: bytes) -> None:
        """Take the payload of a mail response (125); those to other requests are passed over."""
        if self.over:
            return
        try:
            response = decode(data)
        except ResponseError as error:
            self._error = MailRequestError(f"the mailserver's answer makes no sense: {error}")
            return
        if response.request_id != self._request.request_id:
            return
        if isinstance(response, Failure):
            self._error = MailRequestError(response.text)
            return
        self._page = MailPage(tuple(self._envelopes), response.last_hash, response.cursor)

    def page(self) -> MailPage:
        """Return the answer once it is `over`.

        Raises:
            MailRequestError: it is none.
        """
        if self._page is None:
            raise self._error or MailRequestError("the answer has not ended")
        return self._page


class MailTransport(Protocol):
    """What a client needs of a relay; `relay.host.RelayHost` has it."""

    def send_mail_request(self, node_id: bytes, payload: bytes) -> None: ...

    def on_mail_response(self, callback: Callable[[bytes, bytes], None]) -> Callable[[], None]: ...

    def on_direct_messages(
        self, callback: Callable[[bytes, list[Envelope]], None]
    ) -> Callable[[], None]: ...


async def fetch(
    relay: MailTransport, node_id: bytes, request: OutgoingRequest, timeout: float
) -> MailPage:
    """Ask one mailserver and return its answer, if it comes within `timeout` seconds.

    The server answers one request of a peer after the other, so do not run two at once with one
    server: their envelopes could not be told apart.

    Raises:
        MailRequestError: it refused, failed, or said nothing in time.
        NoSuchPeerError: it is not connected.
    """
    conversation = MailConversation(request)
    over = asyncio.Event()

    def envelopes_received(sender: bytes, envelopes: list[Envelope]) -> None:
        if sender == node_id:
            conversation.envelopes_received(envelopes)
            if conversation.over:
                over.set()

    def response_received(sender: bytes, data: bytes) -> None:
        if sender == node_id:
            conversation.response_received(data)
            if conversation.over:
                over.set()

    unsubscribe = (
        relay.on_direct_messages(envelopes_received),
        relay.on_mail_response(response_received),
    )
    try:
        relay.send_mail_request(node_id, request.payload)
        async with asyncio.timeout(timeout):
            await over.wait()
    except TimeoutError as error:
        raise MailTimeoutError(f"no answer within {timeout:g} s") from error
    finally:
        for end in unsubscribe:
            end()
    return conversation.page()


async def fetch_all(
    relay: MailTransport,
    node_id: bytes,
    write: Callable[[bytes], Awaitable[OutgoingRequest]],
    timeout: float,
) -> AsyncIterator[MailPage]:
    """Fetch page after page; `write` makes the request for a cursor (at first empty).

    Raises:
        MailRequestError: a page could not be had within `timeout` seconds, or leads to itself.
    """
    cursor = b""
    while True:
        page = await fetch(relay, node_id, await write(cursor), timeout)
        yield page
        if not page.cursor:
            return
        if page.cursor == cursor:
            raise MailRequestError("the mailserver's page leads to itself")
        cursor = page.cursor
