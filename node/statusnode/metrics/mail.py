"""The metrics of the mailserver, under status-go's names (`mailserver_*`)."""

from __future__ import annotations

from statusnode.mailserver.counters import Histogram, MailCounters
from statusnode.metrics.text import Family, Labels, Sample, counter, counters_by, gauge, histogram


def mail_families(counters: MailCounters, archive_name: str) -> list[Family]:
    """Return what the mailserver has counted; `archive_name` is the label `db`."""
    return [*_requests(counters), *_archive(counters, (("db", archive_name),))]


def _requests(counters: MailCounters) -> list[Family]:
    return [
        counter(
            "mailserver_envelopes_total",
            "Number of requests answered from the archive.",
            counters.envelopes,
        ),
        counter(
            "mailserver_delivery_attempts_total",
            "Number of requests that could be read.",
            counters.delivery_attempts,
        ),
        counters_by(
            "mailserver_delivery_failures_total",
            "Number of requests that failed, by the step that failed.",
            "type",
            counters.delivery_failures,
        ),
        counter(
            "mailserver_requests_batched_total",
            "Number of requests for several envelopes a packet.",
            counters.requests_batched,
        ),
        counter(
            "mailserver_sync_attempts_total",
            "Number of requests of other mailservers.",
            counters.sync_attempts,
        ),
        counters_by(
            "mailserver_sync_failures_total",
            "Number of invalid requests and of failures with other mailservers.",
            "type",
            counters.sync_failures,
        ),
        counter(
            "mailserver_delivered_envelopes_total",
            "Number of envelopes sent to clients.",
            counters.delivered_envelopes,
        ),
        _histogram(
            "mailserver_delivery_duration_seconds",
            "Time to answer a request.",
            counters.delivery_duration_seconds,
        ),
        _histogram(
            "mailserver_requests_bundle_process_duration_seconds",
            "Time to read the envelopes of an answer.",
            counters.requests_bundle_process_duration_seconds,
        ),
        _histogram(
            "mailserver_send_raw_envelope_duration_seconds",
            "Time to send a packet of an answer.",
            counters.send_raw_envelope_duration_seconds,
        ),
        _histogram(
            "mailserver_sent_envelope_batch_size_bytes",
            "Size of the packets of answers in bytes.",
            counters.sent_envelope_batch_size_bytes,
        ),
    ]


def _archive(counters: MailCounters, labels: Labels) -> list[Family]:
    return [
        gauge(
            "mailserver_archived_envelopes_total",
            "Number of envelopes in the archive.",
            counters.archived_envelopes,
            labels,
        ),
        _histogram(
            "mailserver_archived_envelope_size_bytes",
            "Size of archived envelopes in bytes.",
            counters.archived_envelope_size_bytes,
            labels,
        ),
        Family(
            "mailserver_archived_envelopes_falures_total",
            "counter",
            "Number of envelopes that could not be archived.",
            (Sample(counters.archived_envelopes_failures, labels),),
        ),
        counter(
            "mailserver_archive_envelopes_stored_total",
            "Number of envelopes made durable since the start.",
            counters.archived,
        ),
        counter(
            "mailserver_archive_commits_total",
            "Number of transactions that made them so.",
            counters.commits,
        ),
    ]


def _histogram(name: str, text: str, values: Histogram, labels: Labels = ()) -> Family:
    return histogram(name, text, values.bounds, values.counts, values.total, labels)
