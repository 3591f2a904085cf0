"""How long a tree takes into a DNS server: one member changes, the zone of a real BIND follows.

    .venv/bin/python bench/publish.py [--nodes 39 3000] [--runs 5]

Prints a table, then one line of JSON with every run in seconds; the table shows the median.

    first        the whole tree into an empty zone: sign, add, move the root
    change       one record changed: sign the whole tree anew, add what is new, move the root
    proof        after the change: walk all of it by look-ups and verify every signature
    nsupdate     BIND's own tool puts the records of the whole tree into another empty zone: no
                 signature, no order, nothing is looked at

with the processor time that this process took beside each of the first three.

What publishes is the operator's own `TreeKeeper` with its RFC 2136 sink; its memory is a folder.
Needs BIND (`named`, `nsupdate`). Everything stays on the loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tree import TREE_KEY, sign_records, sign_tree

from statusfleet.plan.types import DesiredTree
from statusfleet.publishers.rfc2136 import Rfc2136Sink, UpdateSettings
from statusfleet.publishers.sink import SeenTree
from statusfleet.reconcile.publishing import TreeKeeper
from statusfleet.store import FolderStore
from statusnode.crypto.keccak import keccak256
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))  # BIND is started as there

from support.dns_servers import HOST, KEY_NAME, SECRET, ZONE, DnsServer, bind, program

DOMAIN = f"nodes.{ZONE}"
PARTS = ("first", "first CPU", "change", "change CPU", "proof", "proof CPU", "nsupdate")
_TTL = 3600
_IN_A_MESSAGE = 150
_TEXT_BYTES = 255


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment, or what lies between two: seconds, and seconds of processor time."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> Moment:
        """Return the present moment."""
        return cls(time.perf_counter(), time.process_time())

    def since(self, before: Moment) -> Moment:
        """Return what lies between."""
        return Moment(self.wall - before.wall, self.cpu - before.cpu)


def tree_of(records: Sequence[Record]) -> DesiredTree:
    """Return what the plan would say of these members."""
    return DesiredTree(
        domain=DOMAIN,
        candidates=tuple((f"relayer-{place}", record) for place, record in enumerate(records)),
        links=(),
        root_ttl_seconds=60,
        entries_ttl_seconds=_TTL,
        soa_minimum_seconds=60,
        name_servers=(),
        mailbox="",
        sinks=("rfc2136",),
    )


class Noted(Rfc2136Sink):
    """Notes when the tree is there and its proof begins."""

    proving = Moment(0.0, 0.0)

    async def read_back(self, url: str) -> tuple[SeenTree, ...]:
        """Read the tree back (`Sink`)."""
        self.proving = Moment.now()
        return await super().read_back(url)


async def publish(keeper: TreeKeeper, sink: Noted, records: Sequence[Record]) -> list[Moment]:
    """Have the tree of these records published and proved; return what each of the two took.

    Raises:
        SystemExit: the server does not take it.
    """
    desired = tree_of(records)
    began = Moment.now()
    state = await keeper.publish(desired, records, TREE_KEY)
    if not state.propagated:
        sys.exit(f"the tree was not published: {state.problem}")
    return [sink.proving.since(began), Moment.now().since(sink.proving)]


async def ours(server: DnsServer, folder: Path, nodes: int) -> list[float]:
    """Return seconds and CPU of a first publication, of one after a change, and of its proof."""
    keys = [PrivateKey(keccak256(number.to_bytes(4, "big"))) for number in range(nodes)]
    records = sign_records(keys)
    changed = [Record.sign(keys[0], 2, ip="10.255.255.255", tcp=443), *records[1:]]
    settings = UpdateSettings(server.address, ZONE, KEY_NAME, "hmac-sha256", SECRET)
    sink = Noted(settings)
    with FolderStore.open(folder, "bench") as store:
        keeper = TreeKeeper(store, (sink,), time.time)
        first, _ = await publish(keeper, sink, records)
        change, proof = await publish(keeper, sink, changed)
    await sink.close()
    return [value for part in (first, change, proof) for value in (part.wall, part.cpu)]


def theirs(server: DnsServer, nodes: int) -> float:
    """Return the seconds in which nsupdate adds every record of such a tree."""
    keys = [PrivateKey(keccak256(number.to_bytes(4, "big"))) for number in range(nodes)]
    texts = list(sign_tree(sign_records(keys), 1).records().items())
    lines = [f"server {HOST} {server.port}", f"zone {ZONE}", f"key hmac-sha256:{KEY_NAME} {SECRET}"]
    for place in range(0, len(texts), _IN_A_MESSAGE):
        for name, text in texts[place : place + _IN_A_MESSAGE]:
            lines.append(f"update add {name}. {_TTL} TXT {_quoted(text)}")
        lines.append("send")
    command = [program("nsupdate", "BIND's tools"), "-v"]
    began = time.perf_counter()
    subprocess.run(command, input="\n".join(lines) + "\n", check=True, text=True)
    return time.perf_counter() - began


def _quoted(text: str) -> str:
    parts = (text[at : at + _TEXT_BYTES] for at in range(0, len(text), _TEXT_BYTES))
    return " ".join(f'"{part}"' for part in parts)


def measure(nodes: int) -> dict[str, float]:
    """Measure once, each side with a server of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("ours", "theirs", "data"):
            (folder / part).mkdir()
        with bind(folder / "ours", empty=True) as server:
            own = asyncio.run(ours(server, folder / "data", nodes))
        with bind(folder / "theirs", empty=True) as server:
            peer = theirs(server, nodes)
    return dict(zip(PARTS, (*own, peer), strict=True))


def main() -> None:
    """Measure, print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nodes", type=int, nargs="+", default=[39, 3000], metavar="N")
    parser.add_argument("--runs", type=int, default=5, metavar="N")
    options = parser.parse_args()
    if min(options.nodes) < 2 or options.runs < 1:
        parser.error("at least two nodes and one run")
    results = {nodes: [measure(nodes) for _ in range(options.runs)] for nodes in options.nodes}
    print(f"{'seconds':10}" + "".join(f"{part:>12}" for part in (*PARTS, "ratio")))
    for nodes, runs in results.items():
        medians = [statistics.median(run[part] for run in runs) for part in PARTS]
        ratio = medians[0] / medians[-1]
        print(f"{nodes:<4} nodes" + "".join(f"{median:12.3f}" for median in (*medians, ratio)))
    print(json.dumps({"bench": "publish", "runs_seconds": results}))


if __name__ == "__main__":
    main()
