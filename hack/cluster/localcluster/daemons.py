"""The daemons that the cluster is made of: started apart from the caller, each noted in a file.

A file holds the start time beside the process id, so that a process that came later and got the
same number is never taken for ours.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from localcluster.layout import LOGS, STATE
from localcluster.shell import Arg, ClusterError, inside

_FOLDER = STATE / "daemons"
_GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class Daemon:
    """A daemon as it was started. `born` is in clock ticks since the machine's start."""

    name: str
    command: list[str]
    netns: str
    pid: int
    born: int


def spawn(name: str, *args: Arg, netns: str) -> None:
    """Start a daemon in a network namespace; its output goes to a log of its name."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    command = [str(arg) for arg in args]
    with (LOGS / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [*inside(netns), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )
    daemon = Daemon(name, command, netns, process.pid, _born(process.pid) or 0)
    (_FOLDER / name).write_text(json.dumps(asdict(daemon)))


def known() -> list[str]:
    """Return the names of all daemons that were started and not ended."""
    return sorted(path.name for path in _FOLDER.glob("*"))


def end(name: str, number: signal.Signals = signal.SIGTERM) -> Daemon | None:
    """End a daemon and forget it. One that does not follow its signal is killed."""
    path = _FOLDER / name
    if not path.exists():
        return None
    daemon = Daemon(**json.loads(path.read_text()))
    if _alive(daemon):
        os.kill(daemon.pid, number)
        deadline = time.monotonic() + _GRACE_SECONDS
        while _alive(daemon):
            if time.monotonic() > deadline:
                os.kill(daemon.pid, signal.SIGKILL)
            time.sleep(0.02)
    path.unlink()
    return daemon


def restart(name: str) -> None:
    """Kill a daemon without warning and start it as before.

    Raises:
        ClusterError: there is none of this name.
    """
    daemon = end(name, signal.SIGKILL)
    if daemon is None:
        raise ClusterError(f"no daemon {name}; there are: {', '.join(known()) or 'none'}")
    spawn(name, *daemon.command, netns=daemon.netns)


def _alive(daemon: Daemon) -> bool:
    return _born(daemon.pid) == daemon.born


def _born(pid: int) -> int | None:
    """Return when a process started, or None for one that is gone or only waits to be reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])
