"""Running programs, waiting for what they bring about, and one command at a time."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from localcluster.layout import BIN, KUBECONFIG, LOGS

Arg = str | Path


class ClusterError(Exception):
    """Something that a person must know or do; printed without a traceback."""


def run(
    *args: Arg,
    netns: str = "",
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    text: str | None = None,
) -> str:
    """Run a program to its end, in a network namespace if one is named, and return its output.

    `env` comes on top of this process's; `text` goes to standard input.

    Raises:
        ClusterError: it failed; the message holds what it wrote.
    """
    done = subprocess.run(
        [*inside(netns), *map(str, args)],
        check=False,
        text=True,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
    )
    if done.returncode:
        command = " ".join(map(str, args))
        raise ClusterError(f"{command}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def succeeds(*args: Arg, netns: str = "") -> bool:
    """Tell whether a program ends with 0."""
    try:
        run(*args, netns=netns)
    except ClusterError:
        return False
    return True


def inside(netns: str) -> list[str]:
    """Return the prefix that runs a command in a network namespace.

    Not `ip netns exec`: it mounts /sys anew, and the cgroups under it are gone.
    """
    return ["nsenter", f"--net=/run/netns/{netns}"] if netns else []


def kubectl(*args: Arg, text: str | None = None) -> str:
    """Run kubectl as the cluster's administrator."""
    return run(BIN / "kubectl", f"--kubeconfig={KUBECONFIG}", *args, text=text)


def wait_until(what: str, holds: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until `holds` does.

    Raises:
        ClusterError: it does not within `seconds`.
    """
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise ClusterError(f"{what}: not there after {seconds:.0f} s; the logs are in {LOGS}")
        time.sleep(0.1)


@contextmanager
def exclusive(file: Path) -> Iterator[None]:
    """Hold what a lock file stands for while it changes; a second command waits for the first."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
