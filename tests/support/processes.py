"""Whether a process lives, for tests that end some."""

from __future__ import annotations

import psutil


def lives(process: psutil.Process) -> bool:
    """Tell whether a process has not ended; it may end, and be reaped, at any moment."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
