"""What the kernel knows of this process (`process_*`, `system_*`), from /proc.

Names and units are those of Prometheus' clients and of go-ethereum. Where a file of /proc is
missing or may not be read, its metrics are absent.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Final

from statusnode.metrics.text import Family, counter, gauge

_SELF: Final = Path("/proc/self")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
# Fields of /proc/self/stat, counted from the state that follows the name in parentheses.
_USER_TICKS, _SYSTEM_TICKS, _THREADS, _START_TICKS, _VIRTUAL_BYTES, _RESIDENT_PAGES = (
    11,
    12,
    17,
    19,
    20,
    21,
)


def process_families() -> list[Family]:
    """Return processor, memory, descriptors and disk traffic of this process."""
    return [*_from_stat(), *_descriptors(), *_disk()]


def _from_stat() -> list[Family]:
    try:
        fields = (_SELF / "stat").read_text().rpartition(")")[2].split()
        boot = _boot_time()
    except OSError:
        return []
    seconds = (int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])) / _TICKS
    resident = int(fields[_RESIDENT_PAGES]) * _PAGE
    return [
        counter("process_cpu_seconds_total", "Processor time, user and system.", seconds),
        gauge("process_resident_memory_bytes", "Resident memory.", resident),
        gauge("process_virtual_memory_bytes", "Virtual memory.", int(fields[_VIRTUAL_BYTES])),
        gauge(
            "process_start_time_seconds",
            "Start of the process, unix seconds.",
            boot + int(fields[_START_TICKS]) / _TICKS,
        ),
        gauge("system_cpu_threads", "Threads.", int(fields[_THREADS])),
        gauge("system_memory_used", "Memory in use, bytes.", resident),
    ]


def _boot_time() -> int:
    lines = Path("/proc/stat").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("btime ")), 0)


def _descriptors() -> list[Family]:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    families = [gauge("process_max_fds", "File descriptors that may be open.", soft)]
    try:
        # The listing itself holds one open.
        number = sum(1 for _ in (_SELF / "fd").iterdir()) - 1
    except OSError:
        return families
    return [*families, gauge("process_open_fds", "Open file descriptors.", number)]


def _disk() -> list[Family]:
    try:
        lines = (_SELF / "io").read_text().splitlines()
    except OSError:
        return []
    values = {name: int(value) for name, value in (line.split(": ") for line in lines)}
    return [
        gauge(f"system_disk_{name}", text, values[key])
        for name, key, text in (
            ("readbytes", "rchar", "Bytes read from files and sockets."),
            ("readcount", "syscr", "Calls that read."),
            ("writebytes", "wchar", "Bytes written to files and sockets."),
            ("writecount", "syscw", "Calls that write."),
        )
        if key in values
    ]
