"""What is known of the fleets' objects, from a server that lists, tells, forgets and goes away.

The server is a fake: it says over HTTP what the test has it say, which a real one says only after
hours, or on a bad day.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from statusfleet.handlers.following import Following
from statusfleet.handlers.mirror import FleetId, Mirror
from statusfleet.kube import Connection, KubeClient
from statusfleet.kube.kinds import POD
from statusfleet.kube.names import FLEET_LABEL
from statusfleet.worlds.kubernetes.records import Snapshot

PATIENCE_SECONDS = 60.0
EDDY, OTHER = ("n", "eddy"), ("n", "other")


def thing(name: str, version: int, fleet: str = "eddy", **status: Any) -> dict[str, Any]:
    labels = {FLEET_LABEL: fleet}
    about = {"namespace": "n", "name": name, "resourceVersion": str(version), "labels": labels}
    return {"metadata": about, "status": status}


@dataclass
class Server:
    """Lists what stands in `things`, and tells what the test tells it to, by plural."""

    things: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    asked: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    refuse: bool = False
    unknown: set[str] = field(default_factory=set)
    """Kinds that it does not know."""
    wrong_credentials: bool = False
    forbidden: set[str] = field(default_factory=set)
    """What it lets nobody see: a kind by its plural, with "watch " before it, its events; with a
    namespace and a slash before it, in that namespace."""
    _watchers: dict[str, list[web.StreamResponse]] = field(
        default_factory=lambda: defaultdict(list)
    )

    async def answer(self, request: web.Request) -> web.StreamResponse:
        plural = request.path.rpartition("/")[2]
        self.asked.append((plural, dict(request.query), request.headers["Accept"]))
        if self.refuse:
            return web.Response(status=503, text="{}")
        if self.wrong_credentials:
            return web.Response(status=401, text="{}")
        if plural in self.unknown:
            return web.Response(status=404, text="404 page not found")
        asked_for = f"watch {plural}" if "watch" in request.query else plural
        in_namespace = request.path.partition("/namespaces/")[2]
        if self.forbidden & {asked_for, in_namespace}:
            return web.Response(status=403, text='{"message": "you may not see that"}')
        if "watch" not in request.query:
            metadata = {"resourceVersion": "100"}
            return web.json_response({"metadata": metadata, "items": self.things[plural]})
        response = web.StreamResponse()
        await response.prepare(request)
        self._watchers[plural].append(response)
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return response

    async def tell(self, plural: str, kind: str, body: dict[str, Any]) -> None:
        await self.watched(plural)
        line = json.dumps({"type": kind, "object": body}).encode() + b"\n"
        await self._watchers[plural][-1].write(line)

    async def watched(self, plural: str) -> None:
        await until(lambda: bool(self._watchers[plural]))

    async def cut(self, plural: str) -> None:
        """Break off the watch."""
        await self.watched(plural)
        watcher = self._watchers[plural].pop()
        assert watcher._req is not None
        assert watcher._req.transport is not None
        watcher._req.transport.abort()

    def times_listed(self, plural: str) -> int:
        return sum(p == plural and "watch" not in query for p, query, _ in self.asked)


class Noting:
    """Keeps the names of what it is told (`Keeper`)."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def begin(self) -> None: ...
    def gone(self, body: dict[str, Any]) -> None: ...
    def complete(self) -> None: ...

    def seen(self, body: dict[str, Any], *, changed: bool) -> None:
        self.names.append(body["metadata"]["name"])


@dataclass
class Seen:
    """A mirror, and whom it told of changes."""

    mirror: Mirror
    changed: list[FleetId]
    nodes: list[None]

    def of(self, fleet: FleetId = EDDY) -> Snapshot:
        return self.mirror.snapshot(fleet)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if holds():
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def client_of(server: Server) -> AsyncIterator[KubeClient]:
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    connection = Connection(Configuration(host=f"http://{host}:{port}"), "default", "")
    try:
        async with KubeClient(connection) as client:
            yield client
    finally:
        await runner.cleanup()


@asynccontextmanager
async def mirror_of(server: Server, *namespaces: str) -> AsyncIterator[Seen]:
    changed: list[FleetId] = []
    nodes: list[None] = []
    async with client_of(server) as client:
        mirror = Mirror(
            client,
            namespaces,
            changed=changed.append,
            all_changed=lambda: nodes.append(None),
            clock=time.monotonic,
        )
        running = asyncio.create_task(mirror.run())
        try:
            yield Seen(mirror, changed, nodes)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


@asynccontextmanager
async def complete(server: Server) -> AsyncIterator[Seen]:
    async with mirror_of(server) as seen:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await seen.mirror.sights[""].whole()
        yield seen


async def test_what_is_there_is_known_before_anybody_is_told_of_a_change() -> None:
    server = Server()
    server.things["pods"] = [thing("eddy-relayer-0-0", 1), thing("other-relayer-0-0", 2, "other")]
    server.things["configmaps"] = [thing("eddy-relayer-0", 3)]
    async with complete(server) as seen:
        assert set(seen.of().pods) == {"eddy-relayer-0-0"}
        assert set(seen.of().children) == {("ConfigMap", "eddy-relayer-0")}
        assert set(seen.of(OTHER).pods) == {"other-relayer-0-0"}
        assert seen.changed == []


async def test_no_content_of_secrets_is_asked_for() -> None:
    server = Server()
    async with complete(server):
        await server.watched("secrets")
    accepted = [accept for plural, _, accept in server.asked if plural == "secrets"]
    assert len(accepted) == 2
    assert all("as=PartialObjectMetadata" in accept for accept in accepted)


async def test_of_what_belongs_to_fleets_nothing_else_is_asked_for() -> None:
    server = Server()
    async with complete(server):
        for plural in ("pods", "secrets", "services", "statefulsets"):
            await server.watched(plural)
    labels = {(plural, query.get("labelSelector")) for plural, query, _ in server.asked}
    assert {("pods", FLEET_LABEL), ("secrets", FLEET_LABEL)} < labels
    assert {plural for plural, label in labels if label != FLEET_LABEL} == {"nodes"}


async def test_a_change_is_told_to_its_fleet_and_its_repetition_to_nobody() -> None:
    server = Server()
    async with complete(server) as seen:
        await server.tell("services", "ADDED", thing("eddy-relayer-0", 101))
        await until(lambda: seen.changed == [EDDY])
        await server.tell("services", "MODIFIED", thing("eddy-relayer-0", 101))
        await server.tell("services", "MODIFIED", thing("eddy-relayer-0", 102))
        await until(lambda: len(seen.changed) > 1)
        assert seen.changed == [EDDY, EDDY]
        assert seen.of().services["eddy-relayer-0"].child.version == 102
        await server.tell("services", "DELETED", thing("eddy-relayer-0", 103))
        await until(lambda: not seen.of().services)
        assert seen.changed == [EDDY] * 3


async def test_an_object_that_gets_the_label_of_another_fleet_moves_there() -> None:
    server = Server()
    server.things["secrets"] = [thing("mail", 1)]
    async with complete(server) as seen:
        await server.tell("secrets", "MODIFIED", thing("mail", 101, "other"))
        await until(lambda: bool(seen.of(OTHER).children))
        assert not seen.of().children
        assert set(seen.changed) == {EDDY, OTHER}


async def test_a_broken_watch_goes_on_from_the_last_word() -> None:
    server = Server()
    async with complete(server) as seen:
        await server.tell("pods", "ADDED", thing("eddy-relayer-0-0", 101))
        await server.tell("pods", "BOOKMARK", {"metadata": {"resourceVersion": "150"}})
        await until(lambda: bool(seen.of().pods))
        await server.cut("pods")
        await server.tell("pods", "ADDED", thing("eddy-relayer-1-0", 151))
        await until(lambda: len(seen.of().pods) == 2)
        since = [q["resourceVersion"] for p, q, _ in server.asked if p == "pods" and "watch" in q]
        assert since[-1] == "150"
        assert server.times_listed("pods") == 1


async def test_what_went_while_the_server_has_forgotten_is_gone() -> None:
    server = Server()
    server.things["pods"] = [thing("eddy-relayer-0-0", 1), thing("eddy-relayer-1-0", 2)]
    async with complete(server) as seen:
        del server.things["pods"][0]
        await server.tell("pods", "ERROR", {"code": 410, "reason": "Expired"})
        await until(lambda: set(seen.of().pods) == {"eddy-relayer-1-0"})
        assert seen.changed == [EDDY]


async def test_a_server_that_does_not_answer_is_asked_again() -> None:
    server = Server(refuse=True)
    async with mirror_of(server) as seen:
        await until(lambda: len(server.asked) > 1)
        assert not seen.of().pods
        server.refuse = False
        server.things["pods"] = [thing("eddy-relayer-0-0", 1)]
        async with asyncio.timeout(PATIENCE_SECONDS):
            await seen.mirror.sights[""].whole()
        assert seen.of().pods


async def test_what_is_refused_is_told_of_once_and_not_gone_by_until_it_is_seen_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("statusfleet.handlers.following._FIRST_RETRY_SECONDS", 0.05)
    caplog.set_level(logging.INFO)
    server = Server(forbidden={"pods"})
    server.things["pods"] = [thing("eddy-relayer-0-0", 1)]
    async with mirror_of(server) as seen:
        sight = seen.mirror.sights[""]
        await until(lambda: "not looked after" in caplog.text)
        server.forbidden = {"watch pods"}  # what may be listed and not watched is of yesterday soon
        await until(lambda: server.times_listed("pods") > 4)
        assert sight.lost.is_set()
        server.forbidden.clear()
        await until(lambda: not sight.lost.is_set())
        assert seen.of().pods
        server.things["pods"] = []
        server.forbidden = {"watch pods"}
        await server.cut("pods")
        await until(sight.lost.is_set)
        server.forbidden.clear()
        await until(lambda: not sight.lost.is_set())
        assert not seen.of().pods
    told = [r.getMessage() for r in caplog.records if "looked after" in r.getMessage()]
    said = "fleets are not looked after: %s Pod: you may not see that: give the operator that right"
    again = "fleets are looked after again"
    assert told == [said % "list", again, said % "watch", again]


async def test_what_is_refused_in_one_namespace_is_seen_in_the_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server(forbidden={"there/pods"})
    async with mirror_of(server, "here", "there") as seen:
        here, there = seen.mirror.sights["here"], seen.mirror.sights["there"]
        await until(lambda: "in namespace there are not looked after" in caplog.text)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await here.whole()
        assert there.lost.is_set()
        server.forbidden.clear()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await there.whole()


async def test_a_server_that_answers_is_not_silent_whatever_it_answers() -> None:
    server, clock = Server(refuse=True), Clock()
    async with following(server, clock, asyncio.Semaphore(1)) as (followed, _):
        clock.now = 100.0
        await until(lambda: followed.silent_seconds == 0.0)
        server.refuse, server.wrong_credentials = False, True  # the next process may have others
        asked = len(server.asked)
        await until(lambda: len(server.asked) > asked)
        clock.now = 200.0
        asked = len(server.asked)
        await until(lambda: len(server.asked) > asked + 1)
        assert followed.silent_seconds == 100.0
        assert followed.refusal is not None
        assert followed.refusal.status == 401


async def test_what_was_told_too_long_ago_is_current_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("statusfleet.handlers.following._FIRST_RETRY_SECONDS", 0.05)
    server, clock = Server(), Clock()
    async with following(server, clock, asyncio.Semaphore(1)) as (followed, _):
        await until(lambda: followed.current)
        server.refuse = True
        await server.cut("pods")
        asked = len(server.asked)
        await until(lambda: len(server.asked) > asked + 2)
        assert followed.current
        clock.now = 151.0
        await until(lambda: not followed.current)
        assert followed.silent_seconds == 0.0  # it is no silence: the server says "not now"
        server.refuse = False
        await until(lambda: followed.current)
        assert server.times_listed("pods") > 1


async def test_a_kind_that_not_every_cluster_has_may_come_and_go(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("statusfleet.handlers.following._LONGEST_RETRY_SECONDS", 0.05)
    server = Server(unknown={"dnsendpoints"})
    async with complete(server) as seen:  # which waits for no kind that is not there
        await until(lambda: server.times_listed("dnsendpoints") > 2)
        server.things["dnsendpoints"] = [thing("eddy-tree-root", 1)]
        server.unknown.clear()
        await until(lambda: ("DNSEndpoint", "eddy-tree-root") in seen.of().children)
        await server.tell("dnsendpoints", "DELETED", thing("eddy-tree-root", 101))
        await until(lambda: not seen.of().children)
        await server.tell("dnsendpoints", "ADDED", thing("eddy-tree-root", 102))
        await until(lambda: bool(seen.of().children))
        server.unknown.add("dnsendpoints")
        await server.cut("dnsendpoints")
        await until(lambda: not seen.of().children)
        assert seen.changed == [EDDY] * 4
        assert seen.mirror.sights[""].silent_seconds < PATIENCE_SECONDS
    assert "dnsendpoints" not in caplog.text.lower()


async def test_a_kind_that_not_every_cluster_has_and_that_nobody_may_see_holds_up_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("statusfleet.handlers.following._LONGEST_RETRY_SECONDS", 0.05)
    server = Server(forbidden={"dnsendpoints", "watch dnsendpoints"})
    server.things["dnsendpoints"] = [thing("eddy-tree-root", 1)]
    async with complete(server) as seen:
        await until(lambda: server.times_listed("dnsendpoints") > 2)
        assert not seen.of().children
        server.forbidden.remove("dnsendpoints")  # and what may be listed is looked at that way
        await until(lambda: bool(seen.of().children))
        listed = server.times_listed("dnsendpoints")
        await until(lambda: server.times_listed("dnsendpoints") > listed + 2)
        assert seen.changed == [EDDY]
        server.things["dnsendpoints"] = []
        await until(lambda: not seen.of().children)
        assert seen.mirror.sights[""].silent_seconds < PATIENCE_SECONDS
    assert caplog.text.count("you may not see that") == 1


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def following(
    server: Server, clock: Clock, turns: asyncio.Semaphore
) -> AsyncIterator[tuple[Following, list[str]]]:
    """A kind that is followed, and the names of what was told of it."""
    heeded = Noting()
    async with client_of(server) as client:
        followed = Following(
            client,
            POD,
            "",
            heeded,
            label="",
            metadata_only=False,
            listing=turns,
            clock=clock,
            turned=lambda: None,
        )
        running = asyncio.create_task(followed.run())
        try:
            yield followed, heeded.names
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def test_who_waits_for_a_turn_to_list_is_not_silent() -> None:
    server, clock, turns = Server(), Clock(), asyncio.Semaphore(0)
    async with following(server, clock, turns) as (followed, names):
        await asyncio.sleep(0)
        clock.now = 1000.0
        assert followed.silent_seconds == 0.0
        turns.release()
        await server.tell("pods", "ADDED", thing("eddy-relayer-0-0", 101))
        await until(lambda: bool(names))
        clock.now = 1090.0
        assert followed.silent_seconds == 90.0


async def test_a_watch_that_the_server_has_just_taken_is_not_silent() -> None:
    server, clock = Server(), Clock()
    async with following(server, clock, asyncio.Semaphore(1)) as (followed, names):
        await server.tell("pods", "ADDED", thing("eddy-relayer-0-0", 101))
        await until(lambda: bool(names))
        clock.now = 100.0
        assert followed.silent_seconds == 100.0
        await server.cut("pods")
        await until(lambda: followed.silent_seconds == 0.0)


async def test_of_nodes_only_what_matters_is_told() -> None:
    server = Server()
    ready, away = {"type": "Ready", "status": "True"}, {"type": "Ready", "status": "False"}
    server.things["nodes"] = [thing("one", 1, conditions=[ready])]
    async with complete(server) as seen:
        await server.tell("nodes", "MODIFIED", thing("one", 101, conditions=[ready]))
        await server.tell("nodes", "MODIFIED", thing("one", 102, conditions=[away]))
        await until(lambda: not seen.of().nodes["one"].ready)
        await server.tell("nodes", "DELETED", thing("one", 103))
        await until(lambda: not seen.of().nodes)
        assert len(seen.nodes) == 2
