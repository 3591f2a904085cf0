"""What a mailserver counts, under the names that the reference's metrics have.

Plain numbers: whoever renders them reads them; nothing here knows of metrics.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BATCH_BYTES: Final = tuple(float(1024 * 4**power) for power in range(10))
_ENVELOPE_BYTES: Final = tuple(float(1024 * 2**power) for power in range(11))


class Histogram:
    """How often a number fell between which bounds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds: Final = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        """By bucket, not cumulative; the last takes what is above every bound."""
        self.total = 0.0
        """The sum of all numbers."""

    def observe(self, value: float) -> None:
        """Count a number."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


def _durations() -> Histogram:
    return Histogram(_SECONDS)


@dataclass(slots=True)
class MailCounters:
    """Counters since the start; each name is `mailserver_<field>`, with `_total` behind it where it
    is a counter, and a dictionary is a counter with the label `type`.
    """

    envelopes: int = 0
    """Requests answered from the archive (the reference's name for it)."""
    delivery_attempts: int = 0
    delivery_failures: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("validation", "peer_req_limit", "process", "iterator", "historic_msg_resp"), 0
        )
    )
    requests_batched: int = 0
    delivery_duration_seconds: Histogram = field(default_factory=_durations)
    requests_bundle_process_duration_seconds: Histogram = field(default_factory=_durations)
    send_raw_envelope_duration_seconds: Histogram = field(default_factory=_durations)
    sent_envelope_batch_size_bytes: Histogram = field(
        default_factory=lambda: Histogram(_BATCH_BYTES)
    )
    sync_attempts: int = 0
    """Always 0: Waku has no synchronisation between mailservers."""
    sync_failures: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("req_per_sec_limit", "req_invalid", "iterator", "routine", "response_send"), 0
        )
    )
    """Invalid delivery requests land here as req_invalid, as in the reference."""
    archived_envelopes: int = 0
    """A gauge: envelopes in the archive."""
    archived_envelope_size_bytes: Histogram = field(
        default_factory=lambda: Histogram(_ENVELOPE_BYTES)
    )
    archived_envelopes_failures: int = 0
    """Envelopes that will not be archived by this node, because it could not keep up or the disk
    was full for too long. The reference spells the metric `archived_envelopes_falures`."""
    archived: int = 0
    """Ours: envelopes that became durable since the start."""
    commits: int = 0
    """Ours: transactions that made them so."""
    delivered_envelopes: int = 0
    """Ours: envelopes sent to clients."""
