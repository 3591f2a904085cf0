"""How long a fleet takes from nothing to proof: `statusfleet up --check` on an empty data folder.

    .venv/bin/python bench/up.py [--runs 5] [--relayers 2] [--mailservers 1]

A cold run makes keys and ports, starts every member, signs and serves the tree, reads it back
through DNS, has the canary post, receive and fetch, and stops everything; a warm run does the same
on the folder of a cold one. Prints a table, then one line of JSON with every run in seconds; the
table shows the median. The stages count from the start of the command:

    running   the first event: every member has been started
    ready     every member is ready
    tree      the tree was read back through DNS and verified
    proven    the canary has passed
    stopped   the command has ended, and with it every process

To see where the time goes: `.venv/bin/python -X importtime -m statusfleet.cli.main up …`, and the
log of a member, which has its own times.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

STAGES = ("running", "ready", "tree", "proven", "stopped")
MANIFEST = """
apiVersion: statusfleet.io/v1alpha1
kind: StatusFleet
metadata: {{name: bench}}
spec:
  roles:
    relayer: {{replicas: {relayers}}}
    mailserver: {{replicas: {mailservers}}}
  tree: {{domain: nodes.bench.test}}
"""


def measure(manifest: Path, data: Path) -> dict[str, float]:
    """Run once; return the seconds at which each stage was reached.

    Raises:
        SystemExit: the fleet was not proven.
    """
    began = time.perf_counter()
    command = [sys.executable, "-m", "statusfleet.cli.main", "up", str(manifest)]
    options = ["--data", str(data), "--check", "--output", "json"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        reached: dict[str, float] = {}
        for line in process.stdout:
            now = time.perf_counter() - began
            event = json.loads(line)
            for stage in reached_by(event):
                reached.setdefault(stage, now)
    reached["stopped"] = time.perf_counter() - began
    if process.returncode != 0:
        sys.exit(f"the fleet was not proven: {event.get('missing') or event}")
    return reached


def reached_by(event: dict[str, object]) -> Iterator[str]:
    """Yield the stages at which a fleet is that tells this."""
    if event["event"] != "summary":
        return
    yield "running"
    members, tree, canary = event["members"], event["tree"], event["canary"]
    assert isinstance(members, list)
    if all(member["ready"] for member in members):
        yield "ready"
    if isinstance(tree, dict) and tree["propagated"]:
        yield "tree"
    if isinstance(canary, dict) and canary["passed"]:
        yield "proven"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--relayers", type=int, default=2)
    parser.add_argument("--mailservers", type=int, default=1)
    options = parser.parse_args()
    results: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory() as folder:
            manifest = Path(folder) / "fleet.yaml"
            manifest.write_text(
                MANIFEST.format(relayers=options.relayers, mailservers=options.mailservers)
            )
            for runs in results.values():
                runs.append(measure(manifest, Path(folder) / "data"))
    print(f"{'seconds':10}" + "".join(f"{stage:>10}" for stage in STAGES))
    for kind, runs in results.items():
        medians = (statistics.median(run[stage] for run in runs) for stage in STAGES)
        print(f"{kind:10}" + "".join(f"{median:10.2f}" for median in medians))
    print(json.dumps({"bench": "up", **vars(options), "seconds": results}))


if __name__ == "__main__":
    main()
