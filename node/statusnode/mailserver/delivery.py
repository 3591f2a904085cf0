"""Answering one mail request: from a valid request to the last packet of its answer.

Streams: a bundle is read only when the peer has taken the one before, so an answer costs the memory
of one bundle, and a slow peer its own time. It has a minute for each; then the answer ends in a
failure.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from statusnode.mailserver.archive import CURSOR_SIZE, ArchiveError, Query
from statusnode.mailserver.bundles import Bundler
from statusnode.mailserver.counters import MailCounters
from statusnode.mailserver.process import Archive
from statusnode.mailserver.request import MailRequest
from statusnode.mailserver.response import Completion, Failure
from statusnode.messages.bloom import FULL_BLOOM, bloom_bytes, bloom_matches, parse_bloom
from statusnode.messages.topic import topic_bloom
from statusnode.relay.mail import MailLink

_log = logging.getLogger(__name__)

HAND_OVER_SECONDS: Final = 60.0
_EVERYTHING: Final = bloom_bytes(FULL_BLOOM)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Answers requests out of one archive; holds nothing of any request."""

    archive: Archive
    counters: MailCounters
    clock: Callable[[], float]
    """Monotonic seconds."""
    hand_over_seconds: float = HAND_OVER_SECONDS

    async def answer(
        self, link: MailLink, request_id: bytes, request: MailRequest, max_packet_size: int
    ) -> None:
        """Send what a checked request asks for, then how it ended.

        Raises:
            LinkLostError: the peer went away.
        """
        counters = self.counters
        facts = {"peerID": link.node_id.hex(), "requestID": request_id.hex()}
        bundler = Bundler(request.limit, max_packet_size)
        started = self.clock()
        failure: str | None = None
        try:
            await self._send_all(link, request, bundler, max_packet_size)
        except ArchiveError as error:
            counters.delivery_failures["iterator"] += 1
            _log.error("[mailserver:DeliverMail] archive failed", extra=facts | {"err": error})
            # That sentence names files of whoever runs the node; peers get another.
            failure = "the archive cannot be read"
        except TimeoutError:
            counters.delivery_failures["process"] += 1
            _log.warning("[mailserver:DeliverMail] the peer reads too slowly", extra=facts)
            failure = "timed out sending envelopes"
        counters.requests_bundle_process_duration_seconds.observe(self.clock() - started)
        counters.envelopes += 1
        counters.sent_envelope_batch_size_bytes.observe(bundler.size)
        if bundler.oversized:
            _log.warning(
                "[mailserver:DeliverMail] envelopes too large for any packet",
                extra=facts | {"count": bundler.oversized},
            )
        if failure is not None:
            link.send_completion(Failure(request_id, failure).encode())
            return
        _log.info(
            "[mailserver:DeliverMail] request answered",
            extra=facts
            | {
                "lower": request.lower,
                "upper": request.upper,
                "topics": len(request.topics),
                "limit": request.limit,
                "envelopes": bundler.count,
                "next": bundler.cursor.hex(),
            },
        )
        link.send_completion(Completion(request_id, bundler.last_hash, bundler.cursor).encode())

    async def _send_all(
        self, link: MailLink, request: MailRequest, bundler: Bundler, max_packet_size: int
    ) -> None:
        query = await self._query(request)
        # status-go, too, ignores a cursor of any other size.
        after = request.cursor if len(request.cursor) == CURSOR_SIZE else b""
        while True:
            page = await self.archive.read(query, after, bundler.room, max_packet_size)
            for row in page.rows:
                for bundle in bundler.add(row):
                    await self._hand_over(link, bundle, batch=request.batch)
            if not bundler.room or page.resume is None:
                break
            after = page.resume
        await self._hand_over(link, bundler.finish(), batch=request.batch)

    async def _query(self, request: MailRequest) -> Query:
        """Decide how to search: by topics where they are few, else by time."""
        # An upper end of 2**32 - 1 is the end of time here; in the reference the search wraps
        # around and finds nothing.
        lower, upper = request.lower, request.upper
        if request.topics:
            wanted = parse_bloom(request.bloom)
            topics = (t for t in request.topics if bloom_matches(wanted, topic_bloom(t)))
            return Query(lower, upper, tuple(topics))
        if request.bloom == _EVERYTHING:
            return Query(lower, upper)
        found = await self.archive.matching_topics(request.bloom)
        if found is None:
            return Query(lower, upper, None, request.bloom)
        return Query(lower, upper, tuple(found))

    async def _hand_over(self, link: MailLink, bundle: list[bytes], *, batch: bool) -> None:
        if not bundle:
            return
        packets = [bundle] if batch else [[raw] for raw in bundle]
        started = self.clock()
        async with asyncio.timeout(self.hand_over_seconds):
            for packet in packets:
                link.send_direct(packet)
                self.counters.delivered_envelopes += len(packet)
                await link.drained()
        self.counters.send_raw_envelope_duration_seconds.observe(self.clock() - started)
