"""A reader that walks a tree again and again, and wants to see all of it each time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from statusnode.discovery.dns import ReadTree, TreeReader
from statusnode.discovery.resolver import DnsResolver, ResolutionError

_MISSING = ("there is no such name", "the name has no TXT record")
_PATIENCE_SECONDS = 60.0
_TRY_SECONDS = 3.0


@dataclass
class Walks:
    """What the reader has seen: how many whole trees, and the number of each root."""

    seqs: list[int] = field(default_factory=list)


class AnyServer:
    """Asks another of the servers for each name, as resolvers do.

    Where one fails for the moment it asks again; that a name does not exist it believes.
    """

    def __init__(self, *servers: tuple[str, int]) -> None:
        self._turns = itertools.cycle([DnsResolver(server, _TRY_SECONDS) for server in servers])

    async def texts(self, name: str) -> list[str]:
        deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        while True:
            try:
                return await next(self._turns).texts(name)
            except ResolutionError as error:
                late = asyncio.get_running_loop().time() > deadline
                if str(error) in _MISSING or late:
                    raise
            await asyncio.sleep(0.05)


@asynccontextmanager
async def walking(url: str, *servers: tuple[str, int]) -> AsyncIterator[Walks]:
    """Walk without a pause; fails at the first entry that is missing.

    At the end the reader has begun and finished a walk since the caller was done.
    """
    walks, done = Walks(), asyncio.Event()

    async def walk() -> None:
        last = False
        while not last:
            last = done.is_set()
            walks.seqs.append((await walk_once(url, *servers)).root.seq)

    async with asyncio.TaskGroup() as group:
        group.create_task(walk())
        try:
            yield walks
        finally:
            done.set()


async def walk_once(url: str, *servers: tuple[str, int]) -> ReadTree:
    """Walk once; fails at an entry that is missing."""
    reading = await TreeReader(AnyServer(*servers)).read(url)
    assert reading.problems == ()
    return reading
