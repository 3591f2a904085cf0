"""Addresses of load balancers that are known by name: looked up, and followed.

Names are looked up beside the passes, when they are new and every half minute for as long as
somebody wants them: a resolver that does not answer holds up no fleet. What was found last stays
while a look-up fails, since a resolver's trouble is no reason to leave the tree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final

from statusnode.discovery.hosts import host_addresses, is_absent

FRESH_SECONDS: Final = 30.0
_TIMEOUT_SECONDS: Final = 5.0
_MOST_AT_ONCE: Final = 4
"""Of one fleet's names: those of a fleet that nobody answers for leave room for others'."""

LookUp = Callable[[str], Awaitable[Iterable[str]]]
"""Returns the addresses of a name; raises OSError where there is none."""


class HostNames:
    """The names that one fleet needs."""

    def __init__(self, changed: Callable[[], None], look_up: LookUp = host_addresses) -> None:
        """Take whom to tell that an address is another than before."""
        self._changed = changed
        self._look_up = look_up
        self.found: Mapping[str, tuple[str, ...]] = {}
        """What is known of the names that are followed: () for one that has no address, nothing
        for one that nobody has told of yet."""
        self._wanted: frozenset[str] = frozenset()
        self._new = asyncio.Event()
        self._slots = asyncio.Semaphore(_MOST_AT_ONCE)
        self._task: asyncio.Task[None] | None = None

    def follow(self, group: asyncio.TaskGroup, names: Iterable[str]) -> None:
        """Look these names up from now on, and no others."""
        wanted = frozenset(names)
        if wanted - self._wanted:
            self._new.set()
        self._wanted = wanted
        self.found = {name: ips for name, ips in self.found.items() if name in wanted}
        if not wanted:
            self.stop()
        elif self._task is None:
            self._task = group.create_task(self._look_up_on(), name="look up names")

    def stop(self) -> None:
        """Look up nothing any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _look_up_on(self) -> None:
        while True:
            self._new.clear()
            before = self.found
            async with asyncio.TaskGroup() as group:
                for name in sorted(self._wanted):
                    group.create_task(self._refresh(name))
            if self.found != before:
                self._changed()
            with suppress(TimeoutError):
                async with asyncio.timeout(FRESH_SECONDS):
                    await self._new.wait()

    async def _refresh(self, name: str) -> None:
        try:
            async with self._slots, asyncio.timeout(_TIMEOUT_SECONDS):
                ips = tuple(sorted(await self._look_up(name)))
        except (OSError, TimeoutError) as error:
            if not is_absent(error) or self.found.get(name):
                return
            ips = ()
        if name in self._wanted:
            self.found = {**self.found, name: ips}
