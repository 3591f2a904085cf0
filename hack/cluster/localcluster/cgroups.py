"""The control group of each node, below which its kubelet keeps its pods; of version 1 and 2."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from localcluster.layout import PREFIX

_ROOT = Path("/sys/fs/cgroup")
_CONTROLLERS = ("cpuset", "cpu", "io", "memory", "hugetlb", "pids")


def name_of(node: str) -> str:
    """Return the path of a node's group, as kubelet wants it."""
    return f"/{PREFIX}{node}"


def make(node: str) -> None:
    """Make a node's group where the kernel has one tree, or in each of its trees."""
    if _is_version_2():
        there = (_ROOT / "cgroup.controllers").read_text().split()
        wanted = " ".join(f"+{name}" for name in _CONTROLLERS if name in there)
        (_ROOT / "cgroup.subtree_control").write_text(wanted)
    for tree in _trees():
        group = tree / f"{PREFIX}{node}"
        group.mkdir(exist_ok=True)
        if tree.name == "cpuset":  # a new group of version 1 has no CPU until it is given some
            for file in ("cpuset.cpus", "cpuset.mems"):
                (group / file).write_text((tree / file).read_text())


def kill_all(node: str) -> None:
    """Kill every process of a node's pods at once."""
    for tree in _trees():
        for folder, _, _ in os.walk(tree / f"{PREFIX}{node}"):
            for pid in _processes(Path(folder)):
                _kill(pid)


def remove_all() -> None:
    """Remove the groups of all nodes. Nothing runs in them any more."""
    # Beside the trees of version 1 there may be one of version 2 that pods were put into as well.
    for tree in (*_trees(), _ROOT / "unified"):
        for group in tree.glob(f"{PREFIX}*"):
            for folder, _, _ in os.walk(group, topdown=False):
                try:
                    Path(folder).rmdir()
                except OSError as error:  # a process that is still on its way out
                    print(f"cluster: {folder} stays: {error.strerror}")


def _is_version_2() -> bool:
    return (_ROOT / "cgroup.controllers").exists()


def _trees() -> Iterator[Path]:
    if _is_version_2():
        yield _ROOT
    else:
        yield from (p for p in _ROOT.iterdir() if p.is_dir() and p.name != "unified")


def _processes(group: Path) -> list[int]:
    try:
        return [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
    except FileNotFoundError:  # kubelet or runc removed it meanwhile
        return []


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
