"""Measure the relay: `python bench/relay.py`; with `STATUSD` set, status-go's node beside ours.

Four scenarios, each with a fresh node and the load generator of bench/load as all of its peers:

    flood-1   one sender as fast as it goes, one receiver
    flood-5   the same with five receivers
    steady    2,000 envelopes a second to ten receivers for a minute, TTL 60: the pool fills
    idle      20 single envelopes a second: what the latency is when there is nothing else to do

Each is run `--runs` times for each target, in turn, and the median is shown: CPU microseconds of
the node's process per envelope, latency, peak memory. Targets are `ours`, `go` (the plain Go relay
of bench/load, which calibrates the machine), `statusd` (the program that STATUSD names), and on
request `profile`, which is ours under cProfile: its functions are printed, its figures mean little.
A table is printed, then one line of JSON. Needs Go, and `unshare` where STATUSD is set: that node
must not reach a network.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import pstats
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from statusnode.crypto.keys import PrivateKey
from statusnode.records.enode import Enode

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / ".build" / "bench"
START_SECONDS = 30.0
STOP_SECONDS = 10.0
_ISOLATED = "STATUSFLEET_BENCH_ISOLATED"

COLUMNS = {
    "cpu_us_per_envelope": "CPU µs/envelope",
    "envelopes_per_second": "envelopes/s",
    "latency_p50_ms": "p50 ms",
    "latency_p99_ms": "p99 ms",
    "peak_mb": "peak MB",
}


class BenchError(Exception):
    """A measurement that cannot be made, or is worth nothing."""


@dataclass(frozen=True)
class Scenario:
    """What the load generator is asked for."""

    name: str
    envelopes: int
    flags: tuple[str, ...] = field(default=())

    def arguments(self, scale: float) -> list[str]:
        """Return its flags, with the number of envelopes scaled."""
        return ["-envelopes", str(max(1, round(self.envelopes * scale))), *self.flags]


SCENARIOS = (
    Scenario("flood-1", 60_000),
    Scenario("flood-5", 60_000, ("-receivers", "5")),
    Scenario("steady", 120_000, ("-receivers", "10", "-rate", "2000", "-ttl", "60")),
    Scenario("idle", 200, ("-batch", "1", "-rate", "20")),
)


@dataclass(frozen=True)
class RunningNode:
    """A process to be measured."""

    pid: int
    enode: str


def build_load() -> Path:
    """Compile the load generator."""
    go = shutil.which("go")
    if go is None:
        raise BenchError("the load generator needs Go (1.25 or later)")
    BUILD.mkdir(parents=True, exist_ok=True)
    program = BUILD / "load"
    environment = os.environ | {"CGO_ENABLED": "0"}
    command = [go, "build", "-trimpath", "-buildvcs=false", "-o", str(program), "."]
    subprocess.run(command, cwd=HERE / "load", env=environment, check=True)
    return program


@contextlib.contextmanager
def running(target: str, load: Path) -> Iterator[RunningNode]:
    """Start a target on a port of its own and stop it afterwards."""
    if target == "go":
        with _process([str(load), "calibrate"], stdout=subprocess.PIPE, text=True) as process:
            if process.stdout is None:
                raise BenchError("the Go relay has no output")
            yield RunningNode(process.pid, process.stdout.readline().strip())
        return
    ours = [str(Path(sys.executable).parent / "statusd")]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        profile = Path(folder) / "profile"
        match target:
            case "ours":
                command = ours
            case "profile":
                command = [sys.executable, "-m", "cProfile", "-o", str(profile), *ours]
            case _:
                command = [os.environ["STATUSD"]]
        with _running_statusd(command, Path(folder)) as node:
            yield node
        if target == "profile":
            pstats.Stats(str(profile)).sort_stats("tottime").print_stats(40)


@contextlib.contextmanager
def _running_statusd(command: list[str], folder: Path) -> Iterator[RunningNode]:
    key, port = PrivateKey.generate(), _free_port()
    config = folder / "config.json"
    config.write_text(json.dumps(_config(key)))
    flags = ["-fleet", "", "-dir", str(folder / "data"), "-addr", f"127.0.0.1:{port}"]
    with (
        (folder / "log").open("w+") as log,
        _process(
            [*command, *flags, "-c", str(config)], stdout=log, stderr=subprocess.STDOUT
        ) as process,
    ):
        _await_port(process, port, log.name)
        yield RunningNode(process.pid, str(Enode(key.public_key, "127.0.0.1", port, port)))


def _config(key: PrivateKey) -> dict[str, object]:
    return {
        "NodeKey": key.data.hex(),
        "MaxPeers": 50,
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
        "WakuConfig": {"Enabled": True},
    }


@contextlib.contextmanager
def _process(command: list[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    # The options are passed through as they are; no overload takes a mapping of objects.
    process: subprocess.Popen[str] = subprocess.Popen(command, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_port(process: subprocess.Popen[str], port: int, log: str) -> None:
    """Wait until the node listens."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise BenchError(f"the node did not start:\n{Path(log).read_text()[-2000:]}")


def measure(scenario: Scenario, target: str, load: Path, scale: float) -> dict[str, float]:
    """Run one scenario once."""
    with running(target, load) as node:
        command = [str(load), "run", "-enode", node.enode, "-pid", str(node.pid)]
        done = subprocess.run(
            [*command, *scenario.arguments(scale)], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise BenchError(f"{scenario.name} of {target} failed: {done.stderr.strip()}")
    result: dict[str, float] = json.loads(done.stdout)
    if result["received"] != result["envelopes"] * result["receivers"]:
        raise BenchError(f"{scenario.name} of {target} lost envelopes: {done.stdout.strip()}")
    return result


def median(results: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each figure."""
    return {name: statistics.median(one[name] for one in results) for name in results[0]}


def table(scenario: str, figures: dict[str, dict[str, float]]) -> str:
    """Draw the figures of one scenario, a target a row; CPU also as a multiple of ours."""
    head = f"{scenario:10}" + "".join(f"{title:>17}" for title in COLUMNS.values()) + f"{'CPU':>9}"
    rows = [head]
    base = figures.get("ours", {}).get("cpu_us_per_envelope")
    for target, figure in figures.items():
        cells = "".join(f"{figure[name]:17,.1f}" for name in COLUMNS)
        ratio = f"{figure['cpu_us_per_envelope'] / base:8.2f}x" if base else ""
        rows.append(f"  {target:8}{cells}{ratio:>9}")
    return "\n".join(rows)


def choose_targets(wanted: list[str] | None) -> list[str]:
    """Return what is measured: what is asked for, or all that can be."""
    if wanted and "statusd" in wanted and not os.environ.get("STATUSD"):
        raise BenchError("STATUSD names no program")
    return wanted or ["ours", "go", *(["statusd"] if os.environ.get("STATUSD") else [])]


def machine() -> dict[str, object]:
    """Describe where this was measured."""
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def isolate() -> None:
    """Go on in a network namespace that has only a loopback: status-go's node dials what it can."""
    if os.environ.get(_ISOLATED):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    if shutil.which("unshare") is None:
        raise BenchError("STATUSD is set, and there is no unshare to keep it off the network")
    os.environ[_ISOLATED] = "1"
    os.execvp("unshare", ["unshare", "--map-root-user", "--net", sys.executable, *sys.argv])


def main() -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of each, of which the median")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of envelopes")
    parser.add_argument("--only", choices=[one.name for one in SCENARIOS], action="append")
    parser.add_argument("--target", choices=["ours", "go", "statusd", "profile"], action="append")
    options = parser.parse_args()
    try:
        targets = choose_targets(options.target)
        if "statusd" in targets:
            isolate()
        load = build_load()
        report: dict[str, dict[str, dict[str, float]]] = {}
        for scenario in SCENARIOS:
            if options.only and scenario.name not in options.only:
                continue
            results: dict[str, list[dict[str, float]]] = {target: [] for target in targets}
            for _ in range(options.runs):  # in turn, so that a busy minute hits all alike
                for target in targets:
                    results[target].append(measure(scenario, target, load, options.scale))
            report[scenario.name] = {target: median(runs) for target, runs in results.items()}
            print(table(scenario.name, report[scenario.name]), flush=True)
    except (BenchError, subprocess.CalledProcessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"machine": machine(), "runs": options.runs, "relay": report}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
