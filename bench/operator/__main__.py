"""The operator on a real API server: hundreds of fleets of ten members, and one edit among them.

    .venv/bin/python bench/operator [--fleets 100 1000] [--edits 200] [--rest 60]

Prints a table, then one line of JSON. For each number of fleets, with a cluster of its own whose
nodes and pods are pretended (`pretended`), and one operator with its default settings:

    create    all fleets are made at once; until every one is ready
    start     another operator takes over, and nothing is to be done; until it has looked at all
    rest      nothing happens
    edit      one fleet after the other gets an edit, among the others at rest; until its status
              speaks of the edit. The edit changes the configuration of eight members.

Beside each edit the same client makes a round trip: it writes an object, sees that in a watch,
answers with a second write, and sees that one. No operator could be quicker; the ratio says how
much slower this one is, whatever the machine.

Calls are those of the audit log; a watch counts once. Memory is the operator's own; of the fleets
that are made, nobody answers at the addresses, so members are dialed in vain (refused at once).
Where a limit that this project has set itself is missed, the table says so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import audit
import fleets
from pretended import BenchError, running
from run import Phase, Run, percentile

_NODES = 10
_FEW = 100
"""Fleets up to which the lower limit of memory holds."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; `limit` is what it should stay below, None: it is only told."""

    name: str
    value: float
    unit: str
    limit: float | None = None

    def __str__(self) -> str:
        """Return the line."""
        text = f"{self.name:34}{self.value:12,.1f} {self.unit:8}"
        if self.limit is None:
            return text.rstrip()
        held = "" if self.value < self.limit or self.value == 0 else "MISSED"
        return f"{text} < {self.limit:g} {held}".rstrip()


def figures(count: int, phases: dict[str, Phase]) -> Iterator[Figure]:
    """Yield what is told of so many fleets."""
    create, start, after, rest, edit = (
        phases[name] for name in ("create", "start", "after", "rest", "edit")
    )
    edits = len(edit.latencies)
    memory = 150.0 if count <= _FEW else 250.0
    yield Figure("create: all ready after", create.seconds, "s")
    yield Figure("create: calls a fleet", len(create.calls) / count, "")
    yield Figure("create: CPU a fleet", 1000 * create.cpu_seconds / count, "ms")
    yield Figure("create: peak memory", create.usage.peak_mib, "MiB")
    yield Figure("start: all looked at after", start.seconds, "s", 60)
    yield Figure("start: CPU", start.cpu_seconds, "s")
    yield Figure("start: writes", len(audit.writes([*start.calls, *after.calls])), "", 1)
    yield Figure("start: peak memory", after.usage.peak_mib, "MiB", memory)
    yield Figure("rest: writes", len(audit.writes(rest.calls)), "", 1)
    yield Figure("rest: other calls", sum(not c.of_lease for c in rest.calls), "")
    yield Figure("rest: CPU", 100 * rest.cpu_seconds / rest.seconds, "%")
    yield Figure("rest: memory (RSS)", rest.usage.rss_mib, "MiB", memory)
    yield Figure("rest: memory (PSS)", rest.usage.pss_mib, "MiB")
    if not edits:
        return
    for share in (0.5, 0.99):
        took = 1000 * percentile(edit.latencies, share)
        trip = 1000 * percentile(edit.round_trips, share)
        limit = 1000 if share > 0.5 else None
        yield Figure(f"edit: until status, p{100 * share:g}", took, "ms", limit)
        yield Figure(f"edit: round trip, p{100 * share:g}", trip, "ms")
        yield Figure(f"edit: ratio, p{100 * share:g}", took / trip, "")
    yield Figure("edit: calls an edit", sum(not c.of_lease for c in edit.calls) / edits, "")
    yield Figure("edit: CPU an edit", 1000 * edit.cpu_seconds / edits, "ms")
    yield Figure("edit: memory (RSS)", edit.usage.rss_mib, "MiB", memory)


def told(phases: dict[str, Phase]) -> dict[str, Any]:
    """Return every phase as JSON: all latencies, and calls by verb and resource."""
    return {
        name: {
            "seconds": phase.seconds,
            "cpu_seconds": phase.cpu_seconds,
            "rss_mib": phase.usage.rss_mib,
            "pss_mib": phase.usage.pss_mib,
            "peak_mib": phase.usage.peak_mib,
            "calls": audit.by_kind(phase.calls),
            "latencies": phase.latencies,
            "round_trips": phase.round_trips,
        }
        for name, phase in phases.items()
    }


def measure(count: int, options: argparse.Namespace, folder: Path) -> dict[str, Phase]:
    """Measure so many fleets on a cluster of their own."""
    with running(folder, nodes=_NODES, namespaces=fleets.namespaces(count)) as cluster:
        run = Run(cluster, folder, count)
        return asyncio.run(run.measure(edits=options.edits, rest_seconds=options.rest))


def main() -> None:
    """Measure, print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fleets", type=int, nargs="+", default=[100, 1000], metavar="N")
    parser.add_argument("--edits", type=int, default=200, metavar="N")
    parser.add_argument("--rest", type=float, default=60.0, metavar="SECONDS")
    options = parser.parse_args()
    if min(options.fleets) < 1 or options.edits < 0 or options.rest <= 0:
        parser.error("at least one fleet, and some rest")
    # Told to end, it ends all that it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    results: dict[int, Any] = {}
    for count in options.fleets:
        before = os.getloadavg()[0]
        with tempfile.TemporaryDirectory(prefix="bench-operator-") as folder:
            try:
                phases = measure(count, options, Path(folder))
            except BenchError as error:
                sys.exit(f"bench/operator: {error}")
        print(f"{count} fleets of {fleets.MEMBERS} members; the machine's load was {before:.1f}")
        for figure in figures(count, phases):
            print(f"  {figure}")
        results[count] = {"load": before, **told(phases)}
    print(json.dumps({"bench": "operator", "fleets": results}))


if __name__ == "__main__":
    main()
