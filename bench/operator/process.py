"""The operator as a process of its own, and what it uses: memory, processor time."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from pretended import BenchError

IMAGE = "registry.example.org/statusfleet:bench"
_STOP_SECONDS = 30.0
_MIB = 1024 * 1024
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")
_FLEETS = re.compile(r"^statusfleet_fleets (\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Usage:
    """Memory in MiB; `peak_mib` since the process began. Seconds of processor time since then."""

    rss_mib: float
    pss_mib: float
    peak_mib: float
    cpu_seconds: float
    at: float


class OperatorProcess:
    """A running `statusfleet operator`."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self.began = time.perf_counter()
        self._process = process
        self._port = port
        self._log = log
        self._seen = psutil.Process(process.pid)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def usage(self) -> Usage:
        """Return what it uses and has used.

        Raises:
            BenchError: it has ended.
        """
        try:
            memory, times = self._seen.memory_full_info(), self._seen.cpu_times()
            status = Path(f"/proc/{self.pid}/status").read_text()
        except (psutil.NoSuchProcess, FileNotFoundError) as error:
            raise BenchError(f"the operator ended: {self.log}") from error
        peak = _PEAK.search(status)
        return Usage(
            rss_mib=memory.rss / _MIB,
            pss_mib=memory.pss / _MIB,
            peak_mib=int(peak[1]) / 1024 if peak else 0.0,
            cpu_seconds=times.user + times.system,
            at=time.perf_counter(),
        )

    @property
    def log(self) -> str:
        """The end of what it has logged."""
        return self._log.read_text(errors="replace")[-2000:]

    async def looked_at(self) -> int:
        """Return how many fleets it has made a pass over."""
        text = await asyncio.to_thread(_get, f"http://127.0.0.1:{self._port}/metrics")
        found = _FLEETS.search(text)
        return int(found[1]) if found else 0

    async def until_looked_at(self, fleets: int, *, patience: float) -> float:
        """Wait until it has made a pass over all fleets; return the seconds since it began."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while await self.looked_at() < fleets:
                    self.usage()
                    # To tell of all of them is work for the operator.
                    await asyncio.sleep(0.5 + fleets / 1000)
                return time.perf_counter() - self.began
        raise BenchError(f"not all fleets were looked at in {patience:.0f} s: {self.log}")

    async def end(self) -> None:
        """End it as Kubernetes does: SIGTERM, then, after its time, SIGKILL."""
        if self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def operator(folder: Path, kubeconfig: str, name: str) -> AsyncIterator[OperatorProcess]:
    """Run an operator with the settings that it has by default.

    But for one: nobody answers at the members' addresses, so they count without being reached.
    """
    port, log = _free_port(), folder / f"operator-{name}.log"
    command = [sys.executable, "-m", "statusfleet.cli.main", "operator", "--image", IMAGE]
    settings = ["--kubeconfig", kubeconfig, "--port", str(port), "--publish-unreachable"]
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command, *settings, stdout=file, stderr=file
        )
    running = OperatorProcess(process, port, log)
    try:
        yield running
    finally:
        await running.end()


def _get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
