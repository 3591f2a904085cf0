"""How long trees take: to sign, to put into a zone, to read back and verify.

    .venv/bin/python bench/tree.py [--nodes 3000 100000] [--runs 5]

Prints a table, then one line of JSON with every run in seconds; the table shows the median. To see
where the time goes: `.venv/bin/python -m cProfile -s tottime bench/tree.py --nodes 3000 --runs 1`.

    node records     sign the record of every node (EIP-778); keys are there already
    sign tree        from records in memory to every TXT record of the signed tree
    change one node  the same after one record changed, and retiring what the old tree had
    publish          make the served zone of it, as the embedded server does
    answer           one look-up of a leaf, without a socket
    read back        parse and verify everything: root, hashes, every node's signature
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import dns.message

from statusfleet.publishers.answers import ZoneIndex, answer
from statusfleet.tree.publication import Publication
from statusfleet.tree.zone import Zone, ZoneSettings
from statusnode.crypto.keccak import keccak256
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record
from statusnode.records.tree import SignedTree, Tree

DOMAIN = "nodes.example.org"
SETTINGS = ZoneSettings(DOMAIN)
TREE_KEY = PrivateKey(keccak256(b"the tree of the bench"))
LOOKUPS = 1000

T = TypeVar("T")


def timed(runs: int, work: Callable[[], T]) -> tuple[list[float], T]:
    """Run `work` so many times; return the seconds of each run and the last result."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return seconds, result


def sign_records(keys: Sequence[PrivateKey]) -> list[Record]:
    """Sign a record for each key, at an address made of its place."""
    return [
        Record.sign(key, 1, ip=f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}", tcp=30303, udp=30303)
        for i, key in enumerate(keys)
    ]


def sign_tree(records: Sequence[Record], seq: int) -> SignedTree:
    """Sign the tree of these records and write out its TXT records."""
    signed = Tree.build(records).sign(TREE_KEY, DOMAIN, seq)
    signed.records()
    return signed


def measure(nodes: int, runs: int) -> dict[str, list[float]]:
    """Return the seconds of every run by what was done."""
    keys = [PrivateKey(keccak256(number.to_bytes(4, "big"))) for number in range(nodes)]
    for key in keys:
        _ = key.public_key.node_id
    found: dict[str, list[float]] = {}

    found["node records"], records = timed(runs, lambda: sign_records(keys))
    found["sign tree"], signed = timed(runs, lambda: sign_tree(records, 1))

    changed = [Record.sign(keys[0], 2, ip="10.255.255.255", tcp=443), *records[1:]]
    found["change one node"], _ = timed(
        runs,
        lambda: Publication(signed).replaced_by(sign_tree(changed, 2), now=0, root_ttl_seconds=300),
    )
    found["publish"], index = timed(runs, lambda: ZoneIndex(Zone.of(signed, SETTINGS)))

    names = [name for name in signed.records() if name != DOMAIN][:LOOKUPS]
    queries = [dns.message.make_query(name, "TXT").to_wire() for name in names]
    seconds, _ = timed(runs, lambda: [answer(query, index, datagram=True) for query in queries])
    found["answer"] = [run / len(queries) for run in seconds]

    kept = signed.records()
    found["read back"], _ = timed(runs, lambda: SignedTree.parse(signed.url, kept))
    return found


def main() -> None:
    """Measure, print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nodes", type=int, nargs="+", default=[3000, 100_000], metavar="N")
    parser.add_argument("--runs", type=int, default=5, metavar="N")
    arguments = parser.parse_args()
    if min(arguments.nodes) < 1 or arguments.runs < 1:
        parser.error("at least one node and one run")
    results = {nodes: measure(nodes, arguments.runs) for nodes in arguments.nodes}
    print(f"{'median of ' + str(arguments.runs):<18}", *(f"{n:>9} nodes" for n in results))
    for what in next(iter(results.values())):
        medians = (statistics.median(found[what]) for found in results.values())
        print(f"{what:<18}", *(f"{median * 1000:>12.3f} ms" for median in medians))
    print(json.dumps({"bench": "tree", "runs_seconds": results}))


if __name__ == "__main__":
    main()
