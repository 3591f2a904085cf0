"""The mailserver of one node: takes envelopes from the relay, and requests from peers.

    relay → archive → `writer` → the archive
    relay → request_received → one queue a peer → checks → flushed → `delivery` → the peer

One request of a peer is answered at a time, further ones wait, a few of them: the reference stops
reading from that peer meanwhile, which would hold up its envelopes here as it does there. An answer
begins when everything that was accepted before the request is committed, so whoever posts and
then asks gets what was posted.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from statusnode.codec import rlp
from statusnode.mailserver.counters import MailCounters
from statusnode.mailserver.delivery import Delivery
from statusnode.mailserver.limiter import RequestLimiter
from statusnode.mailserver.process import Archive
from statusnode.mailserver.request import MailRequest, PlainRequest, RequestError
from statusnode.mailserver.response import Failure
from statusnode.mailserver.retention import Cleaner
from statusnode.mailserver.sealed import open_request
from statusnode.mailserver.writer import ArchiveWriter
from statusnode.messages.envelope import Envelope, EnvelopeError
from statusnode.messages.sealing import derive_symmetric_key
from statusnode.relay.mail import LinkLostError, MailLink
from statusnode.relay.settings import DEFAULT_MAX_MESSAGE_SIZE, DEFAULT_MIN_POW

_log = logging.getLogger(__name__)

_MAX_WAITING: Final = 8
_MAX_WAITING_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class MailSettings:
    """What a mailserver is told; all but the password may change while it runs."""

    password: str = field(repr=False)
    """Opens sealed requests."""
    rate_limit_seconds: float = 0.0
    """A peer may ask once in so many seconds; 0: as often as it likes."""
    retention_days: int = 0
    """How long envelopes are kept; 0: for ever."""
    min_pow: float = DEFAULT_MIN_POW
    """The proof of work that a sealed request needs."""
    max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE
    """Bytes of the largest packet that is sent."""


Question = tuple[bytes, Envelope | MailRequest]
"""A request's id, and what it is: sealed, or plain."""


class _Peer:
    """What one peer has asked and still waits for."""

    __slots__ = ("size", "task", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[tuple[int, Question]] = deque()
        self.size = 0
        self.task: asyncio.Task[None] | None = None


class MailServer:
    """A `relay.mail.MailHandler`. Made by the node, which starts and stops it."""

    def __init__(
        self,
        settings: MailSettings,
        archive: Archive,
        now: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Serve from an archive; `now` gives unix seconds, `clock` monotonic ones."""
        self.counters = MailCounters()
        self._settings = settings
        self._archive = archive
        self._now = now
        self._clock = clock
        self._writer = ArchiveWriter(archive, self.counters)
        self._cleaner = Cleaner(archive, self.counters, settings.retention_days, now)
        self._delivery = Delivery(archive, self.counters, clock)
        self._limiter = RequestLimiter(settings.rate_limit_seconds)
        self._peers: dict[MailLink, _Peer] = {}
        self._key = b""
        self._tasks: asyncio.TaskGroup | None = None
        self._runner: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    # --- for the node

    @property
    def open(self) -> bool:
        """Whether envelopes that come now will be archived: part of the node's readiness."""
        return self._tasks is not None and self._writer.open

    @property
    def archive_name(self) -> str:
        """Which archive this is: the label `db` of its metrics."""
        return self._archive.name

    async def start(self) -> None:
        """Open the archive and be ready for the relay.

        Raises:
            ArchiveError: there is no archive to serve from; the sentence says why.
        """
        self.counters.archived_envelopes = await self._archive.open()
        self._key = await asyncio.to_thread(derive_symmetric_key, self._settings.password)
        running = asyncio.Event()
        self._runner = asyncio.create_task(self._run(running))
        await running.wait()
        _log.info(
            "Mailserver opened",
            extra={"archive": self._archive.name, "envelopes": self.counters.archived_envelopes},
        )

    async def wait(self) -> None:
        """Wait until the mailserver has stopped; an error that ended it is raised here."""
        runner = self._runner  # `stop` forgets it meanwhile
        if runner is not None:
            await asyncio.wait({runner})
            runner.result()

    async def stop(self) -> None:
        """Drop requests under way, commit what waits, close the archive."""
        runner, self._runner = self._runner, None
        try:
            if runner is not None:
                self._stopping.set()
                await runner
        finally:
            await self._archive.close()

    async def _run(self, running: asyncio.Event) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._writer.run())
                cleaning = tasks.create_task(self._cleaner.run())
                running.set()
                await self._stopping.wait()
                cleaning.cancel()
                for link in tuple(self._peers):
                    self.link_lost(link)
                self._writer.close()
        finally:
            self._tasks = None

    def reconfigure(self, settings: MailSettings) -> None:
        """Take new settings; the password stays."""
        self._settings = settings
        self._cleaner.retention_days = settings.retention_days
        self._limiter.window_seconds = settings.rate_limit_seconds

    # --- for the relay (MailHandler)

    def archive(self, envelope: Envelope) -> None:
        """Archive an envelope that the relay has accepted for the first time."""
        self._writer.put(envelope)

    def request_received(self, link: MailLink, payload: bytes) -> None:
        """Take a request; it is answered when the peer's earlier ones are."""
        if self._tasks is None:
            return
        question = _read(payload)
        if question is None:
            _log.debug(
                "[mailserver:DeliverMail] undecodable request", extra={"peerID": link.node_id.hex()}
            )
            return
        peer = self._peers.setdefault(link, _Peer())
        if len(peer.waiting) >= _MAX_WAITING or peer.size + len(payload) > _MAX_WAITING_BYTES:
            self.counters.delivery_failures["peer_req_limit"] += 1
            _refuse(link, question[0], "too many requests", "too many requests are waiting")
            return
        peer.waiting.append((len(payload), question))
        peer.size += len(payload)
        if peer.task is None:
            peer.task = self._tasks.create_task(self._serve(link, peer))

    def link_lost(self, link: MailLink) -> None:
        """Forget a peer; an answer under way ends."""
        peer = self._peers.pop(link, None)
        if peer is not None and peer.task is not None:
            peer.task.cancel()

    # --- inside

    async def _serve(self, link: MailLink, peer: _Peer) -> None:
        try:
            while peer.waiting:
                size, question = peer.waiting[0]
                await self._answer(link, *question)
                peer.waiting.popleft()
                peer.size -= size
        except LinkLostError:
            _log.debug(
                "[mailserver:DeliverMail] the peer went away", extra={"peerID": link.node_id.hex()}
            )
        finally:
            self._peers.pop(link, None)

    async def _answer(
        self, link: MailLink, request_id: bytes, asked: Envelope | MailRequest
    ) -> None:
        try:
            request = asked
            if isinstance(request, Envelope):
                request = open_request(request, self._key, self._settings.min_pow)
                request = request.with_defaults(self._now())
                request.check_range()
        except RequestError as error:
            self.counters.delivery_failures["validation"] += 1
            _refuse(link, request_id, "request failed validation", str(error))
            return
        self.counters.delivery_attempts += 1
        started = self._clock()
        try:
            await self._deliver(link, request_id, request.with_defaults(self._now()), started)
        finally:
            self.counters.delivery_duration_seconds.observe(self._clock() - started)

    async def _deliver(
        self, link: MailLink, request_id: bytes, request: MailRequest, started: float
    ) -> None:
        counters, max_packet_size = self.counters, self._settings.max_message_size
        try:
            request.check()
        except RequestError as error:
            counters.sync_failures["req_invalid"] += 1
            _refuse(link, request_id, "request invalid", str(error))
            return
        if not self._limiter.accepts(link.node_id, started):
            counters.delivery_failures["peer_req_limit"] += 1
            _refuse(link, request_id, "peer exceeded the limit", "rate limit exceeded")
            return
        counters.requests_batched += request.batch
        await self._writer.flushed()
        await self._delivery.answer(link, request_id, request, max_packet_size)


def _refuse(link: MailLink, request_id: bytes, what: str, text: str) -> None:
    _log.warning(
        "[mailserver:DeliverMail] %s",
        what,
        extra={"peerID": link.node_id.hex(), "requestID": request_id.hex(), "err": text},
    )
    link.send_completion(Failure(request_id, text).encode())


def _read(payload: bytes) -> Question | None:
    """Tell which form a request has; None: neither."""
    try:
        envelope = Envelope.parse(payload)
    except EnvelopeError:
        pass
    else:
        return envelope.hash, envelope
    try:
        plain = PlainRequest.decode(payload)
    except rlp.RLPError:
        return None
    return plain.request_id, plain.request
