"""Mail over JSON-RPC: each kind of node fetches from the other kind's mailserver.

who posts ── mailserver ── who fetches: wakuext_requestMessagesSync
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.reference_scene import (
    CHAT,
    MAIL_PASSWORD,
    MAILSERVER,
    Message,
    Party,
    Scene,
    needs_reference,
    scene,
    topic_of_chat,
)
from support.statusd_process import eventually

pytestmark = needs_reference()

NO_MORE = {"cursor": "", "error": None}
WAIT = {"BaseTimeout": 60_000_000_000, "StepTimeout": 0, "MaxRetries": 0}
OTHER_CHAT = "another-chat"

either_serves = pytest.mark.parametrize("serving", ["ours", "theirs"])


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


async def post_office(stage: Scene, serving: str) -> tuple[Party, Party]:
    """Start a mailserver of one kind, and a node of the other that is to fetch from it."""
    if serving == "ours":
        return await asyncio.gather(stage.ours("server", WakuConfig=MAILSERVER), stage.theirs())
    return await asyncio.gather(stage.theirs("server", WakuConfig=MAILSERVER), stage.ours())


@dataclass
class Client:
    """A node that fetches."""

    party: Party
    server: Party
    filters: dict[str, str]

    async def request(self, **fields: object) -> dict[str, Any]:
        """Make a request for one chat."""
        return {
            "mailServerPeer": self.server.enode,
            "symKeyID": await self.party.password_key(MAIL_PASSWORD),
            "topics": [topic_of_chat()],
            "force": True,
        } | fields

    async def ask(self, **fields: object) -> dict[str, Any]:
        """Fetch and return the answer, which comes when all mail has."""
        request = await self.request(**fields)
        return dict(await self.party.call("wakuext_requestMessagesSync", WAIT, request))

    async def mail(self, count: int) -> list[str]:
        """Return the texts of so many direct messages; more of them, of any chat, are an error."""
        found: list[Message] = []

        async def enough() -> bool:
            # Those of other chats come first, should there be any.
            for filter_id in reversed(self.filters.values()):
                found.extend(await self.party.call("waku_getFilterMessages", filter_id))
            return len(found) >= count

        await eventually(enough)
        assert all(message["bool"] for message in found)
        return sorted(base64.b64decode(message["payload"]).decode() for message in found)


async def client_of(server: Party, party: Party, letters: int = 0, others: int = 0) -> Client:
    """Connect, and hear all that relaying brings: what comes later is mail."""
    counts = {CHAT: letters, OTHER_CHAT: others}
    filters = {chat: await party.listen(chat, allowP2P=True) for chat in counts}
    await party.dial(server)
    for chat, filter_id in filters.items():
        await party.hear(filter_id, counts[chat])
    return Client(party, server, filters)


@either_serves
async def test_mail_is_fetched_by_topic(stage: Scene, serving: str) -> None:
    server, party = await post_office(stage, serving)
    for number in range(3):
        await server.say(b"letter %d" % number)
        await server.say(b"of no interest %d" % number, OTHER_CHAT)
    client = await client_of(server, party, 3, 3)
    assert await client.ask() == NO_MORE
    assert await client.mail(3) == ["letter 0", "letter 1", "letter 2"]


@either_serves
async def test_mail_that_another_node_posted_is_archived_on_its_way(
    stage: Scene, serving: str
) -> None:
    server, party = await post_office(stage, serving)
    poster = await stage.theirs("poster")
    await poster.dial(server)
    await poster.say(b"on its way")
    client = await client_of(server, party, 1)
    assert await client.ask() == NO_MORE
    assert await client.mail(1) == ["on its way"]


@either_serves
async def test_pages_follow_cursors_to_the_end(stage: Scene, serving: str) -> None:
    server, party = await post_office(stage, serving)
    posted = [f"letter {number}" for number in range(8)]
    for text in posted:
        await server.say(text.encode())
    client = await client_of(server, party, len(posted))
    cursor, found = "", []
    for size in (3, 3, 2):
        answer = await client.ask(limit=3, cursor=cursor)
        assert answer["error"] is None
        found += await client.mail(size)
        cursor = answer["cursor"]
        assert len(bytes.fromhex(cursor)) == (36 if size == 3 else 0)
    assert sorted(found) == posted


async def test_megabytes_of_mail_come_in_packets_that_the_reference_takes(stage: Scene) -> None:
    server, party = await post_office(stage, "ours")
    for number in range(30):
        await server.say(b"letter %2d" % number + b"." * 100_000)
    client = await client_of(server, party, 30)
    assert await client.ask() == NO_MORE
    assert len(await client.mail(30)) == 30
    assert await party.knows(server)


@either_serves
async def test_mail_is_fetched_by_time(stage: Scene, serving: str) -> None:
    server, party = await post_office(stage, serving)
    await server.say(b"letter")
    client = await client_of(server, party, 1)
    assert await client.ask(**{"from": 1, "to": 1_000_000_000}) == NO_MORE
    assert await client.ask() == NO_MORE
    assert await client.mail(1) == ["letter"]


@either_serves
async def test_a_refusal_reaches_the_caller(stage: Scene, serving: str) -> None:
    client = await client_of(*await post_office(stage, serving))
    wrong = await client.party.password_key("not the password")
    for bad in ({"limit": 1001}, {"symKeyID": wrong}):
        answer = await client.ask(**bad)
        # All that JSON leaves of an error in Go.
        assert answer["error"] == {}


@either_serves
async def test_asking_without_waiting_brings_the_mail_too(stage: Scene, serving: str) -> None:
    server, party = await post_office(stage, serving)
    await server.say(b"letter")
    client = await client_of(server, party, 1)
    request_id = await party.call("wakuext_requestMessages", await client.request())
    assert len(bytes.fromhex(request_id.removeprefix("0x"))) == 32
    assert await client.mail(1) == ["letter"]
