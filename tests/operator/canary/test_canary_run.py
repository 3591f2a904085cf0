"""Whole runs of the canary against members on the loopback: real sockets, relays, archives.

canary ──post──► relayer-0 ◄──► mailserver-0 ◄──► relayer-1 ──► canary
                                    └── fetched by topic ──────►
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from statusfleet.canary.config import CanaryConfig, Target
from statusfleet.canary.mail import MailKey, Tools
from statusfleet.canary.run import run
from statusfleet.canary.verdict import LegKind, Verdict
from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.server import Server, ServerConfig
from statusnode.mailserver.server import MailServer, MailSettings
from statusnode.messages.mining import Miner
from statusnode.relay.host import RelayHost
from statusnode.relay.settings import RelaySettings
from support.mailserver_archives import DirectArchive

PASSWORD = "hush"


class Fleet:
    """Members in this process, all linked to each other."""

    def __init__(self, stack: AsyncExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self.servers: dict[str, Server] = {}

    async def add(self, name: str, settings: RelaySettings | None = None) -> None:
        mail: MailServer | None = None
        if name.startswith("mailserver"):
            mail = MailServer(MailSettings(PASSWORD), DirectArchive(self._folder / name), time.time)
            await mail.start()
            self._stack.push_async_callback(mail.stop)
        relay = RelayHost(settings or RelaySettings(full_node=True), time.time, mail=mail)
        ticking = asyncio.create_task(relay.run())
        self._stack.push_async_callback(_cancel, ticking)
        config = ServerConfig("Statusd/test", "127.0.0.1:0")
        server = Server(config, PrivateKey.generate(), relay.subprotocols())
        await server.start()
        self._stack.push_async_callback(server.stop)
        for other in self.servers.values():
            server.add_static(other.self_enode, fleet=True)
        self.servers[name] = server

    async def linked(self) -> None:
        async with asyncio.timeout(30):
            others = len(self.servers) - 1
            while any(len(server.peers()) < others for server in self.servers.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def targets(self, role: str) -> tuple[Target, ...]:
        return tuple(
            Target(name=name, enode=str(server.self_enode))
            for name, server in self.servers.items()
            if name.startswith(role)
        )

    def config(self, *, timeout: float = 30.0, password: str = PASSWORD) -> CanaryConfig:
        return CanaryConfig(
            node_key=secrets.token_hex(32),  # type: ignore[arg-type]
            relayers=self.targets("relayer"),
            mailservers=self.targets("mailserver"),
            interval_seconds=1.0,
            timeout_seconds=timeout,
            mail_password=password,  # type: ignore[arg-type]
        )


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        yield Fleet(stack, tmp_path)


@pytest.fixture
async def tools() -> AsyncIterator[Tools]:
    miner = Miner()
    yield Tools(miner, MailKey(), time.time)
    await miner.close()


async def started(fleet: Fleet, names: Sequence[str]) -> None:
    for name in names:
        await fleet.add(name)
    await fleet.linked()


def kinds(verdict: Verdict) -> list[tuple[LegKind, str]]:
    return [(leg.kind, leg.member) for leg in verdict.legs if leg.kind is not LegKind.CONNECT]


async def test_a_message_goes_in_at_one_relayer_out_at_the_other_and_into_every_archive(
    fleet: Fleet, tools: Tools
) -> None:
    await started(fleet, ["mailserver-0", "mailserver-1", "relayer-0", "relayer-1"])
    config = fleet.config()
    for number, (post, receive) in enumerate([("0", "1"), ("1", "0"), ("0", "1")]):
        verdict = await run(config, number, tools)
        assert verdict.failures == []
        assert kinds(verdict) == [
            (LegKind.POST, f"relayer-{post}"),
            (LegKind.RECEIVE, f"relayer-{receive}"),
            (LegKind.FETCH, "mailserver-0"),
            (LegKind.FETCH, "mailserver-1"),
        ]
        assert verdict.latency_ms is not None


async def test_one_relayer_alone_hands_the_message_to_a_second_connection(
    fleet: Fleet, tools: Tools
) -> None:
    await started(fleet, ["relayer-0"])
    verdict = await run(fleet.config(), 0, tools)
    assert verdict.passed
    assert kinds(verdict) == [(LegKind.POST, "relayer-0"), (LegKind.RECEIVE, "relayer-0")]


async def test_a_fleet_of_mailservers_is_proven_too(fleet: Fleet, tools: Tools) -> None:
    await started(fleet, ["mailserver-0", "mailserver-1"])
    for number in range(2):
        verdict = await run(fleet.config(), number, tools)
        assert verdict.failures == []
        assert len(verdict.legs) == 2 + 1 + 1 + 2


async def test_a_member_that_is_gone_is_named_and_the_others_are_still_tried(
    fleet: Fleet, tools: Tools
) -> None:
    await started(fleet, ["mailserver-0", "relayer-0", "relayer-1"])
    config = fleet.config()
    await fleet.servers["relayer-1"].stop()
    verdict = await run(config, 0, tools)
    (failure,) = verdict.failures
    assert failure.startswith("connecting to relayer-1: ")
    assert (LegKind.FETCH, "mailserver-0") in kinds(verdict)


async def test_a_wrong_password_is_told_in_the_mailserver_s_own_words(
    fleet: Fleet, tools: Tools
) -> None:
    await started(fleet, ["mailserver-0", "relayer-0", "relayer-1"])
    verdict = await run(fleet.config(password="wrong"), 0, tools)
    assert verdict.failures == [
        "fetching from mailserver-0: the mailserver says: failed to decrypt p2p request"
    ]


async def test_a_relayer_that_passes_nothing_on_fails_its_leg_at_the_time_limit(
    fleet: Fleet, tools: Tools
) -> None:
    await fleet.add("relayer-0")
    await fleet.add("relayer-1", RelaySettings(full_node=True, min_pow=1_000_000.0))
    await fleet.linked()
    verdict = await run(fleet.config(timeout=4), 0, tools)
    assert verdict.failures == [
        "receiving from relayer-1: the message did not arrive in time (4 s)"
    ]


async def test_a_fleet_of_nobody_is_not_proven(fleet: Fleet, tools: Tools) -> None:
    verdict = await run(fleet.config(), 0, tools)
    assert verdict.failures == ["connecting to the fleet: there is no member to ask"]
