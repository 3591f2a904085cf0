"""The daemons that the cluster is made of: started apart from the caller, each noted in a file.

A file holds the start time beside the process id, so that a process that came later and got the
same number is never taken for ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator
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
    # Such a descriptor is readable when the last thread is gone, and with it the ports; a process
    # that looks like a zombie may still hold them.
    with contextlib.suppress(ProcessLookupError), _descriptor(daemon.pid) as process:
        if _born(daemon.pid) == daemon.born:
            signal.pidfd_send_signal(process, number)
            if not select.select([process], [], [], _GRACE_SECONDS)[0]:
                signal.pidfd_send_signal(process, signal.SIGKILL)
                select.select([process], [], [])
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


@contextlib.contextmanager
def _descriptor(pid: int) -> Iterator[int]:
    process = os.pidfd_open(pid)
    try:
        yield process
    finally:
        os.close(process)


def _born(pid: int) -> int | None:
    """Return when a process started, or None for one that is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return None
