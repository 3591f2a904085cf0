"""Measure the mailserver: `python bench/archive.py`; with `STATUSD` set, status-go's node too.

Two parts, each run `--runs` times, of which the median is shown:

    store   the archive by itself, in this process: filling it with a million envelopes, then a
            page by topic (rare, busy, and through a bloom filter alone), a page by time in the
            middle, and all pages from the first second to the last
    node    a `statusd` with that archive, over a real session: the same questions, and how much CPU
            all its processes spend on an envelope that is received, pooled and archived

Targets of the second part are `ours` and, if `STATUSD` names one, `statusd`, in a network namespace
of its own; that one starts with an empty archive and so is asked for what it was sent. A table is
printed, then one line of JSON. Queries are in milliseconds as the asker sees them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import socket
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from relay import BenchError, isolate, machine

from statusnode.codec import rlp
from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.client import DialError, dial
from statusnode.devp2p.protocol import DisconnectReason
from statusnode.mailserver.archive import MAX_TIME, Entry, Query
from statusnode.mailserver.client import fetch, fetch_all, plain_request
from statusnode.mailserver.request import MAX_LIMIT, MailRequest
from statusnode.mailserver.sqlite import FILE_NAME, SqliteArchive
from statusnode.messages.bloom import FULL_BLOOM, bloom_bytes, bloom_of
from statusnode.messages.envelope import Envelope
from statusnode.records.enode import Enode
from statusnode.relay.host import RelayHost
from statusnode.relay.packets import PacketCode
from statusnode.relay.settings import RelaySettings

ENVELOPES = 1_000_000
TOPICS = 20_000
DATA_SIZE = 300
PER_SECOND = 50
GROUP = 1000
SENT_TO_NODE = 60_000
PACKET = 10
TTL = 20
FIRST_SECOND = 1_690_000_000
PATIENCE = 60.0
PAGE_BYTES = 1 << 20
EVERYTHING = bloom_bytes(FULL_BLOOM)
TICKS = os.sysconf("SC_CLK_TCK")

Figures = dict[str, float]


def topic_of(number: int) -> bytes:
    """Return the topic of the n-th envelope: one in ten is of the busy one, the rest are spread."""
    spread = random.Random(number).randrange(1, TOPICS)
    return _topic(0 if number % 10 == 0 else spread)


def _topic(index: int) -> bytes:
    return (index * 2_654_435_761 % 2**32).to_bytes(4, "big")


def entries(count: int) -> Iterator[list[Entry]]:
    """Yield envelopes to archive, in groups as the node's writer makes them."""
    for start in range(0, count, GROUP):
        group = []
        for number in range(start, min(start + GROUP, count)):
            sent = FIRST_SECOND + number // PER_SECOND
            envelope = Envelope.build(
                sent + TTL, TTL, topic_of(number), os.urandom(DATA_SIZE), number
            )
            group.append((sent, envelope.hash, envelope.topic, envelope.raw))
        yield group


def timed(work: Callable[[], object]) -> float:
    """Return how many milliseconds a call takes."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3


def measure_store(path: Path, count: int) -> Figures:
    """Fill an archive and ask it."""
    archive = SqliteArchive(path)
    archive.open()
    cpu = seconds = 0.0
    for group in entries(count):
        started, spent = time.perf_counter(), time.process_time()
        archive.add(group)
        cpu += time.process_time() - spent
        seconds += time.perf_counter() - started
    archive.close()
    archive.open()  # with an empty cache
    rare, busy = _topic(7), _topic(0)
    middle = FIRST_SECOND + count // PER_SECOND // 2

    def page(query: Query) -> Callable[[], object]:
        return lambda: archive.read(query, b"", MAX_LIMIT, PAGE_BYTES)

    def by_bloom() -> None:
        topics = archive.matching_topics(bloom_bytes(bloom_of([rare])))
        archive.read(Query(0, MAX_TIME, tuple(topics or ())), b"", MAX_LIMIT, PAGE_BYTES)

    figures = {
        "archive_cpu_us": cpu / count * 1e6,
        "archive_us": seconds / count * 1e6,
        "rare_topic_ms": timed(page(Query(0, MAX_TIME, (rare,)))),
        "busy_topic_ms": timed(page(Query(0, MAX_TIME, (busy,)))),
        "bloom_ms": timed(by_bloom),
        "time_ms": timed(page(Query(middle, MAX_TIME))),
    }
    started, spent, found, after = time.perf_counter(), time.process_time(), 0, b""
    while True:
        result = archive.read(Query(0, MAX_TIME), after, MAX_LIMIT, PAGE_BYTES)
        found += len(result.rows)
        if result.resume is None:
            break
        after = result.resume
    if found != count:
        raise BenchError(f"{found} envelopes found of {count}")
    figures["all_cpu_us"] = (time.process_time() - spent) / count * 1e6
    figures["all_per_second"] = count / (time.perf_counter() - started)
    figures["bytes_an_envelope"] = path.stat().st_size / count
    archive.close()
    return figures


@dataclass
class Asker:
    """A session with the node that is measured."""

    relay: RelayHost
    node_id: bytes
    pid: int

    async def page_ms(self, request: MailRequest, least: int) -> float:
        """Ask for one page; return the milliseconds until it was whole."""
        started = time.perf_counter()
        page = await fetch(self.relay, self.node_id, plain_request(request), PATIENCE)
        taken = (time.perf_counter() - started) * 1e3
        if len(page.envelopes) < least:
            raise BenchError(f"{len(page.envelopes)} envelopes where {least} were expected")
        return taken

    async def send(self, payloads: list[bytes]) -> None:
        """Send Messages packets, no quicker than the node reads, and wait until all is archived."""
        (link,) = self.relay.links()
        for payload in payloads:
            link.peer.send(PacketCode.MESSAGES, payload)
            await link.drained()
        nothing = MailRequest(1, 1, EVERYTHING)
        await fetch(self.relay, self.node_id, plain_request(nothing), PATIENCE)


async def measure_node(target: str, filled: Path | None, count: int) -> Figures:
    """Ask a node that has a full archive, then send it envelopes; `filled` is the archive."""
    figures: Figures = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        if filled is not None:
            (Path(folder) / "data").mkdir()
            filled.rename(Path(folder) / "data" / FILE_NAME)  # noqa: ASYNC240 - nothing runs yet
        async with _running(target, Path(folder)) as asker:
            started = int(time.time())
            if filled is None:
                busy = await _fill(asker, figures)
                whole, rare = MailRequest(started - 1, started + 1000, EVERYTHING), busy[1]
                count, middle = SENT_TO_NODE, started
            else:
                whole, rare = MailRequest(0, started - 1000, EVERYTHING), _topic(7)
                middle = FIRST_SECOND + count // PER_SECOND // 2
            await _ask(asker, figures, whole, rare, middle, count)
            if filled is not None:
                await _fill(asker, figures)
    return figures


async def _ask(
    asker: Asker, figures: Figures, whole: MailRequest, rare: bytes, middle: int, count: int
) -> None:
    by_bloom = replace(whole, bloom=bloom_bytes(bloom_of([rare])))
    await asker.page_ms(replace(whole, limit=1), 1)
    figures["rare_topic_ms"] = await asker.page_ms(replace(by_bloom, topics=(rare,)), 1)
    figures["bloom_ms"] = await asker.page_ms(by_bloom, 1)
    figures["time_ms"] = await asker.page_ms(replace(whole, lower=middle), MAX_LIMIT)

    async def next_page(cursor: bytes):  # noqa: ANN202 - the type is that of `fetch_all`
        return plain_request(replace(whole, cursor=cursor))

    spent, began, found = cpu_seconds(asker.pid), time.perf_counter(), 0
    async for page in fetch_all(asker.relay, asker.node_id, next_page, PATIENCE):
        found += len(page.envelopes)
    if found != count:
        raise BenchError(f"{found} envelopes found of {count}")
    figures["all_cpu_us"] = (cpu_seconds(asker.pid) - spent) / count * 1e6
    figures["all_per_second"] = count / (time.perf_counter() - began)


async def _fill(asker: Asker, figures: Figures) -> list[bytes]:
    """Let the node archive new envelopes; return some of their topics."""
    expiry = int(time.time()) + TTL
    raws = [
        Envelope.build(expiry, TTL, topic_of(n), os.urandom(DATA_SIZE), n).raw
        for n in range(SENT_TO_NODE)
    ]
    payloads = [rlp.encode_list(raws[n : n + PACKET]) for n in range(0, SENT_TO_NODE, PACKET)]
    spent, began = cpu_seconds(asker.pid), time.perf_counter()
    await asker.send(payloads)
    figures["archive_cpu_us"] = (cpu_seconds(asker.pid) - spent) / SENT_TO_NODE * 1e6
    figures["archive_us"] = (time.perf_counter() - began) / SENT_TO_NODE * 1e6
    return [topic_of(n) for n in range(3)]


@contextlib.asynccontextmanager
async def _running(target: str, folder: Path) -> AsyncIterator[Asker]:
    """Start a mailserver and open a session with it."""
    key = PrivateKey.generate()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    config = folder / "config.json"
    config.write_text(json.dumps(_config(key, data)))
    program = os.environ["STATUSD"] if target == "statusd" else _own_statusd()
    flags = ["-fleet", "", "-dir", str(data), "-addr", f"127.0.0.1:{port}", "-c", str(config)]
    with (folder / "log").open("w") as log:
        process = await asyncio.create_subprocess_exec(program, *flags, stdout=log, stderr=log)
    relay = RelayHost(RelaySettings(min_pow=0.0), time.time)
    enode = Enode(key.public_key, "127.0.0.1", port, port)
    try:
        session = await _dialed(enode, relay, process, folder / "log")
        yield Asker(relay, key.public_key.node_id, process.pid)
        session.disconnect(DisconnectReason.REQUESTED)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _dialed(enode: Enode, relay: RelayHost, process: Process, log: Path):  # noqa: ANN202 - the type is that of `dial`
    key = PrivateKey.generate()
    async with asyncio.timeout(PATIENCE):
        while process.returncode is None:
            with contextlib.suppress(DialError):
                session = await dial(enode, key, relay.subprotocols(), PATIENCE)
                while not relay.links():  # noqa: ASYNC110 - the Status of the node comes soon
                    await asyncio.sleep(0.01)
                return session
            await asyncio.sleep(0.1)
    end = log.read_text()[-2000:]  # noqa: ASYNC240 - nothing runs any more
    raise BenchError(f"the node did not start:\n{end}")


def _own_statusd() -> str:
    return str(Path(sys.executable).parent / "statusd")


def _config(key: PrivateKey, data: Path) -> dict[str, object]:
    return {
        "NodeKey": key.data.hex(),
        "LogLevel": "ERROR",
        "EnableNTPSync": False,
        "NoDiscovery": True,
        "Rendezvous": False,
        "ClusterConfig": {
            "Enabled": True,
            "StaticNodes": [],
            "BootNodes": [],
            "TrustedMailServers": [],
            "RendezvousNodes": [],
        },
        "WakuConfig": {
            "Enabled": True,
            "FullNode": True,
            "EnableMailServer": True,
            "DataDir": str(data),
            "MailServerPassword": "bench",
        },
    }


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process and its children have spent."""
    spent = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(stat.parent.name) == pid or int(fields[1]) == pid:
                spent += (int(fields[11]) + int(fields[12])) / TICKS
    return spent


TITLES = {
    "archive_cpu_us": "archive CPU µs",
    "archive_us": "archive µs",
    "rare_topic_ms": "topic ms",
    "busy_topic_ms": "busy topic ms",
    "bloom_ms": "bloom ms",
    "time_ms": "time ms",
    "all_per_second": "all, env/s",
    "all_cpu_us": "all, CPU µs",
}


def table(report: dict[str, Figures]) -> str:
    """Draw one row for each part."""
    lines = [f"{'':16}" + "".join(f"{title:>15}" for title in TITLES.values())]
    for name, figures in report.items():
        cells = (f"{figures[key]:15,.2f}" if key in figures else " " * 15 for key in TITLES)
        lines.append(f"{name:16}" + "".join(cells))
    return "\n".join(lines)


def median(results: list[Figures]) -> Figures:
    """Return the median of each figure."""
    return {name: statistics.median(one[name] for one in results) for name in results[0]}


def main() -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of each, of which the median")
    parser.add_argument("--envelopes", type=int, default=ENVELOPES, help="in the archive")
    parser.add_argument("--only", choices=["store", "node"])
    options = parser.parse_args()
    results: dict[str, list[Figures]] = {}
    try:
        if os.environ.get("STATUSD") and options.only != "store":
            isolate()
        for _ in range(options.runs):
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                filled = Path(folder) / FILE_NAME
                store = measure_store(filled, options.envelopes)
                results.setdefault("store", []).append(store)
                if options.only == "store":
                    continue
                ours = asyncio.run(measure_node("ours", filled, options.envelopes))
                results.setdefault("node ours", []).append(ours)
            if os.environ.get("STATUSD"):
                theirs = asyncio.run(measure_node("statusd", None, SENT_TO_NODE))
                results.setdefault("node statusd", []).append(theirs)
    except (BenchError, TimeoutError, DialError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    report = {name: median(runs) for name, runs in results.items()}
    print(table(report), flush=True)
    line = {"machine": machine(), "runs": options.runs, "envelopes": options.envelopes}
    print(json.dumps(line | {"archive": report}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
