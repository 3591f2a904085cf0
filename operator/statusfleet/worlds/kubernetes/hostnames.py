"""Addresses of load balancers that are known by name: looked up, and followed.

A name is looked up again every half minute for as long as somebody asks for it; what was found
last stays while a look-up fails, since a resolver's trouble is no reason to leave the tree.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

FRESH_SECONDS: Final = 30.0
_TIMEOUT_SECONDS: Final = 5.0

LookUp = Callable[[str], Awaitable[Iterable[str]]]
"""Returns the addresses of a name; raises OSError where there is none."""


async def look_up(name: str) -> Iterable[str]:
    """Ask the system's resolver for a name's addresses; raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return {str(address[0]) for *_, address in found}


class HostNames:
    """The names that one fleet needs."""

    def __init__(self, now: Callable[[], float], look_up: LookUp = look_up) -> None:
        self._now = now
        self._look_up = look_up
        self.found: Mapping[str, tuple[str, ...]] = {}
        """What is known of the names that were last asked for."""
        self._asked: dict[str, float] = {}

    async def follow(self, names: Iterable[str]) -> None:
        """Know these names from now on, and no others."""
        wanted = frozenset(names)
        self.found = {name: self.found[name] for name in wanted & self.found.keys()}
        self._asked = {name: self._asked[name] for name in wanted & self._asked.keys()}
        await self._refresh([name for name in sorted(wanted) if not self._is_fresh(name)])

    async def has_changed(self) -> bool:
        """Look all names up again; tell whether an address is another than before."""
        before = self.found
        await self._refresh(sorted(self._asked))
        return self.found != before

    def _is_fresh(self, name: str) -> bool:
        return name in self._asked and self._now() - self._asked[name] < FRESH_SECONDS

    async def _refresh(self, names: Iterable[str]) -> None:
        names = list(names)
        found = dict(zip(names, await asyncio.gather(*map(self._addresses, names)), strict=True))
        self._asked |= dict.fromkeys(found, self._now())
        self.found = {**self.found, **{name: ips for name, ips in found.items() if ips}}

    async def _addresses(self, name: str) -> tuple[str, ...]:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                return tuple(sorted(await self._look_up(name)))
        except (OSError, TimeoutError, UnicodeError):  # the last: what is no name
            return ()
