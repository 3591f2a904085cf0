"""A network namespace that has nothing but a loopback, for programs that must not look further.

The reference node asks routers for ports and public servers for the time as soon as it starts, so
its tests put every program of a scene into one such namespace:

    the test ── unix sockets, pipes ──┐
    ┌─ namespace ─────────────────────┴──────────────────┐
    │ statusd of status-go ── TCP ── statusd of ours ── … │
    └────────────────────────────────────────────────────┘

The test itself stays outside. Needs `unshare` and `nsenter` of util-linux, and root or user
namespaces.
"""

from __future__ import annotations

import asyncio
import functools
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

# Each way to get one, and how another program joins: as root, or as a user who is root inside.
_WAYS = (
    (("unshare", "--net"), ("nsenter", "--net")),
    (
        ("unshare", "--user", "--map-root-user", "--net"),
        ("nsenter", "--user", "--preserve-credentials", "--net"),
    ),
)
_HOLD = ("sh", "-c", "ip link set lo up && echo up && exec cat")


@dataclass(frozen=True, slots=True)
class Loopback:
    """One namespace, which lasts as long as the process that holds it."""

    join: tuple[str, ...]

    def inside(self, *command: str) -> tuple[str, ...]:
        """Return the command line that runs `command` in the namespace, as the same process."""
        return (*self.join, *command)


@functools.cache
def _way() -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    for make, join in _WAYS:
        try:
            made = subprocess.run([*make, *_HOLD], input=b"", capture_output=True, check=False)
        except FileNotFoundError:
            continue
        if made.stdout == b"up\n":
            return make, join
    return None


def loopback_possible() -> bool:
    """Tell whether this machine lets us have a network namespace."""
    return _way() is not None


@asynccontextmanager
async def loopback() -> AsyncIterator[Loopback]:
    """Make a namespace; it is gone once the programs in it have ended."""
    way = _way()
    assert way is not None, "no network namespace: ask loopback_possible first"
    make, join = way
    holder = await asyncio.create_subprocess_exec(
        *make, *_HOLD, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert await holder.stdout.readline() == b"up\n"
        yield Loopback((*join, f"--target={holder.pid}", "--"))
    finally:
        # The holder reads until then: should the test die, the namespace goes with it.
        holder.stdin.close()
        await holder.communicate()
