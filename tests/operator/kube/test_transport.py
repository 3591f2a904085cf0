"""A client against a server that misbehaves: slow, gone, refusing, talking nonsense."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from statusfleet.kube import Connection, KubeClient, NotLeaderError, TransientError
from statusfleet.kube.kinds import CONFIG_MAP, SECRET

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
BODY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "n", "name": "a"}}


@asynccontextmanager
async def client_of(handler: Handler, **options: object) -> AsyncIterator[KubeClient]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    connection = Connection(Configuration(host=f"http://{host}:{port}"), "default", "")
    try:
        async with KubeClient(connection, **options) as client:  # type: ignore[arg-type]
            yield client
    finally:
        await runner.cleanup()


async def test_no_answer_in_time_may_pass_by_itself() -> None:
    asked = asyncio.Event()

    async def silent(request: web.Request) -> web.Response:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with client_of(silent, timeout_seconds=0.2) as client:
        with pytest.raises(TransientError, match="get ConfigMap n/a: no answer in time"):
            await client.get(CONFIG_MAP, "n", "a")
    assert asked.is_set()


async def test_no_server_may_pass_by_itself() -> None:
    # Port 1 of the loopback: nobody listens.
    connection = Connection(Configuration(host="http://127.0.0.1:1"), "default", "")
    async with KubeClient(connection) as client:
        with pytest.raises(TransientError, match=r"list Secret n: .*127\.0\.0\.1"):
            await client.list(SECRET, "n")


@pytest.mark.parametrize("body", ["<html>", "[]", "3", ""])
async def test_an_answer_that_is_no_object_may_pass_by_itself(body: str) -> None:
    async def nonsense(request: web.Request) -> web.Response:
        return web.Response(text=body)

    async with client_of(nonsense) as client:
        with pytest.raises(TransientError, match=r"get ConfigMap n/a: (no JSON|the answer)"):
            await client.get(CONFIG_MAP, "n", "a")


async def test_too_many_requests_tells_when_to_come_back() -> None:
    async def busy(request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "4"}, text="{}")

    async with client_of(busy) as client:
        with pytest.raises(TransientError) as refused:
            await client.apply(BODY)
    assert (refused.value.status, refused.value.retry_after) == (429, 4)


async def test_no_more_requests_than_allowed_are_under_way() -> None:
    under_way, most, asked = 0, 0, 0

    async def counting(request: web.Request) -> web.Response:
        nonlocal under_way, most, asked
        under_way += 1
        asked += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        return web.json_response({"metadata": {}})

    async with client_of(counting, parallel=3) as client:
        await asyncio.gather(*(client.get(CONFIG_MAP, "n", f"a{i}") for i in range(12)))
    assert (most, asked) == (3, 12)


async def test_who_leads_no_more_sends_no_write() -> None:
    methods: list[str] = []

    async def recording(request: web.Request) -> web.Response:
        methods.append(request.method)
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})

    leads = True
    body = BODY | {"metadata": BODY["metadata"] | {"resourceVersion": "1"}}  # type: ignore[operator]
    async with client_of(recording, may_write=lambda: leads) as client:
        await client.apply(BODY)
        leads = False
        writes = (
            lambda: client.apply(BODY),
            lambda: client.create(BODY),
            lambda: client.replace(body),
            lambda: client.patch(CONFIG_MAP, "n", "a", {}),
            lambda: client.patch_status(CONFIG_MAP, "n", "a", {}),
            lambda: client.delete(CONFIG_MAP, "n", "a"),
        )
        for write in writes:
            with pytest.raises(NotLeaderError, match="leads no more"):
                await write()
        await client.list(CONFIG_MAP, "n")
    assert methods == ["PATCH", "GET"]


async def test_names_and_values_reach_the_server_as_they_are() -> None:
    seen: list[tuple[str, dict[str, str]]] = []

    async def recording(request: web.Request) -> web.Response:
        seen.append((request.path, dict(request.query)))
        return web.json_response({"metadata": {}, "items": []})

    async with client_of(recording) as client:
        await client.list(SECRET, "n", labels={"statusfleet.io/fleet": "a", "b": "c"})
        await client.list(SECRET, labels="x in (1, 2)", fields="metadata.name=a")
    assert seen == [
        (
            "/api/v1/namespaces/n/secrets",
            {"labelSelector": "statusfleet.io/fleet=a,b=c", "limit": "500"},
        ),
        (
            "/api/v1/secrets",
            {"labelSelector": "x in (1, 2)", "fieldSelector": "metadata.name=a", "limit": "500"},
        ),
    ]


async def test_a_body_never_shows_in_an_error() -> None:
    async def broken(request: web.Request) -> web.Response:
        return web.Response(status=500, text="out of order")

    async with client_of(broken) as client:
        with pytest.raises(TransientError) as refused:
            await client.create(
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"namespace": "n", "name": "a"},
                    "data": {"nodekey": "c2VjcmV0"},
                }
            )
    assert str(refused.value) == "create Secret n/a: out of order"
    assert "c2VjcmV0" not in repr(refused.value)


async def test_a_log_comes_line_by_line_for_as_long_as_it_is_wanted() -> None:
    asked: dict[str, str] = {}
    gone = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        asked.update(request.query)
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            await response.write(b"one\ntwo \xff\r\n")
            while True:
                await response.write(b"more\n")
                await asyncio.sleep(0.01)
        except ConnectionError:
            gone.set()
            raise

    async with client_of(endless, timeout_seconds=0.2) as client:
        log = client.logs("n", "a", container="statusd", tail_lines=0, limit_bytes=9, follow=True)
        lines = [await anext(log) for _ in range(60)]
        assert lines[:3] == ["one", "two \ufffd", "more"]
        await log.aclose()
        async with asyncio.timeout(30):
            await gone.wait()
    assert asked == {
        "container": "statusd",
        "tailLines": "0",
        "limitBytes": "9",
        "follow": "true",
    }


async def test_a_log_that_breaks_off_may_pass_by_itself() -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one\n")
        assert request.transport is not None
        request.transport.abort()
        return response

    async with client_of(broken) as client:
        log = client.logs("n", "a")
        assert await anext(log) == "one"
        with pytest.raises(TransientError, match="read the log of n/a"):
            await anext(log)


async def test_who_follows_an_object_hears_nothing_of_bookmarks() -> None:
    events = [
        {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "2"}}},
        {"type": "MODIFIED", "object": {"metadata": {"resourceVersion": "3"}}},
        {"type": "DELETED", "object": {"metadata": {"resourceVersion": "4"}}},
    ]
    asked: dict[str, str] = {}

    async def server(request: web.Request) -> web.Response:
        if "watch" not in request.query:
            item = {"metadata": {"resourceVersion": "1"}}
            return web.json_response({"metadata": item["metadata"], "items": [item]})
        asked.update(request.query)
        return web.Response(text="".join(f"{json.dumps(event)}\n" for event in events))

    async with client_of(server) as client:
        states = client.follow(CONFIG_MAP, "n", "a")
        found = [await anext(states) for _ in range(3)]
        await states.aclose()
    assert asked["allowWatchBookmarks"] == "true"
    versions = [state and state["metadata"]["resourceVersion"] for state in found]
    assert versions == ["1", "3", None]
