"""Somebody outside who leaves a message with a mailserver, and asks for it later."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr

from statusfleet.canary.config import CanaryConfig
from statusfleet.canary.link import CanaryProtocol, Link, LinkLostError
from statusfleet.canary.mail import MailKey, Tools, fetch
from statusfleet.canary.message import probe_message, random_topic
from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.client import DialError, dial
from statusnode.devp2p.protocol import DisconnectReason
from statusnode.messages.envelope import Envelope
from statusnode.messages.mining import Miner
from statusnode.records.enode import Enode

PASSWORD = "status-offline-inbox"
_ATTEMPT_SECONDS = 20.0
_PATIENCE_SECONDS = 90.0
_CONFIG = CanaryConfig(
    node_key=SecretStr(PrivateKey.generate().data.hex()),
    interval_seconds=1.0,
    timeout_seconds=_ATTEMPT_SECONDS,
    mail_password=SecretStr(PASSWORD),
)


async def archived(enode: str) -> Envelope:
    """Send a message to a mailserver; return it once the archive gives it back."""
    async with _tools() as tools:
        envelope = await probe_message(
            random_topic(),
            tools.miner,
            now=time.time(),
            timeout_seconds=_ATTEMPT_SECONDS,
            min_pow=_CONFIG.min_pow,
        )
        async with asyncio.timeout(_PATIENCE_SECONDS), _session(enode, envelope.topic) as link:
            link.post(envelope.raw)
            await fetch(link, envelope, _CONFIG, tools)
    return envelope


async def still_archived(enode: str, envelope: Envelope) -> None:
    """Ask a mailserver for a message until its answer holds it."""
    async with _tools() as tools:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                if await _given_back(enode, envelope, tools):
                    return
                await asyncio.sleep(0.5)


async def _given_back(enode: str, envelope: Envelope, tools: Tools) -> bool:
    try:
        async with asyncio.timeout(_ATTEMPT_SECONDS), _session(enode, envelope.topic) as link:
            await fetch(link, envelope, _CONFIG, tools)
    except (DialError, LinkLostError, TimeoutError):
        return False
    return True


@asynccontextmanager
async def _session(enode: str, topic: bytes) -> AsyncIterator[Link]:
    protocol = CanaryProtocol(topic)
    key = PrivateKey.generate()
    connection = await dial(Enode.parse(enode), key, [protocol], _ATTEMPT_SECONDS)
    try:
        link = protocol.link
        assert link is not None
        await link.greeted()
        yield link
    finally:
        connection.disconnect(DisconnectReason.REQUESTED)


@asynccontextmanager
async def _tools() -> AsyncIterator[Tools]:
    miner = Miner()
    try:
        yield Tools(miner, MailKey(), time.time)
    finally:
        await miner.close()
