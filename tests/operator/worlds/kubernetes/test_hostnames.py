"""Names of load balancers are looked up when they are new, and followed from then on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from statusfleet.worlds.kubernetes import hostnames
from statusfleet.worlds.kubernetes.hostnames import HostNames

ABSENT = socket.gaierror(socket.EAI_NONAME, "no such name")
TROUBLE = socket.gaierror(socket.EAI_AGAIN, "no server answers")


class Dns:
    """A resolver that answers from a dictionary."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[str, ...] | OSError] = {"lb": ("8.8.4.4", "1.1.1.1")}
        self.asked: list[str] = []
        self.told = 0
        self.names = HostNames(self._tell, self._look_up)

    def _tell(self) -> None:
        self.told += 1

    async def _look_up(self, name: str) -> tuple[str, ...]:
        self.asked.append(name)
        answer = self.answers.get(name, ABSENT)
        if isinstance(answer, OSError):
            raise answer
        return answer

    @asynccontextmanager
    async def following(self, *names: str) -> AsyncIterator[asyncio.TaskGroup]:
        """Follow these names; leave no task behind."""
        async with asyncio.TaskGroup() as group:
            self.names.follow(group, names)
            await until(lambda: set(names) <= set(self.asked))
            try:
                yield group
            finally:
                self.names.stop()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while True:
            if holds():
                return
            await asyncio.sleep(0.001)


async def test_a_name_is_looked_up_once_in_a_while_and_whoever_needs_it_is_told() -> None:
    dns = Dns()
    async with dns.following("lb") as group:
        await until(lambda: dns.told == 1)
        dns.names.follow(group, ["lb"])
        await asyncio.sleep(0.01)
        assert (dns.names.found, dns.asked) == ({"lb": ("1.1.1.1", "8.8.4.4")}, ["lb"])


async def test_a_new_address_is_noticed_and_an_old_one_outlives_every_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hostnames, "FRESH_SECONDS", 0.001)
    dns = Dns()
    async with dns.following("lb"):
        await until(lambda: dns.told == 1)
        dns.answers["lb"] = ("9.9.9.9",)
        await until(lambda: dns.told == 2)
        assert dns.names.found == {"lb": ("9.9.9.9",)}
        for trouble in (TROUBLE, ABSENT):
            dns.answers["lb"], asked = trouble, len(dns.asked)
            await until(lambda before=asked: len(dns.asked) > before + 2)
            assert (dns.names.found, dns.told) == ({"lb": ("9.9.9.9",)}, 2)


async def test_a_name_without_an_address_is_another_thing_than_one_that_nobody_tells_of() -> None:
    dns = Dns()
    dns.answers["silent"] = TROUBLE
    async with dns.following("absent", "silent"):
        await until(lambda: dns.told == 1)
        assert dns.names.found == {"absent": ()}


async def test_a_name_that_nobody_needs_is_forgotten_and_a_new_one_asked_for_at_once() -> None:
    dns = Dns()
    async with dns.following("lb") as group:
        await until(lambda: bool(dns.names.found))
        dns.names.follow(group, ["other"])
        assert dns.names.found == {}
        await until(lambda: dns.asked == ["lb", "other"])
        dns.names.follow(group, [])
        assert dns.names.found == {}


async def test_a_resolver_that_does_not_answer_keeps_nobody_waiting() -> None:
    silent = asyncio.Event()

    async def look_up(_name: str) -> tuple[str, ...]:
        await silent.wait()
        return ("1.1.1.1",)

    told = asyncio.Event()
    names = HostNames(told.set, look_up)
    async with asyncio.TaskGroup() as group:
        names.follow(group, ["lb"])
        await asyncio.sleep(0)
        assert names.found == {}
        silent.set()
        await told.wait()
        assert names.found == {"lb": ("1.1.1.1",)}
        names.stop()
