"""Names of hosts are looked up beside everything else that waits for a thread."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from statusnode.discovery.hosts import MOST_AT_ONCE, host_addresses, is_absent


async def test_a_host_has_the_addresses_that_the_system_knows() -> None:
    assert "127.0.0.1" in await host_addresses("localhost")


async def test_what_is_no_name_has_no_address() -> None:
    with pytest.raises(socket.gaierror) as caught:
        await host_addresses("x" * 64 + ".example.org")
    assert is_absent(caught.value)
    assert not is_absent(socket.gaierror(socket.EAI_AGAIN, "no server answers"))
    assert not is_absent(OSError("something else"))


async def test_a_resolver_that_does_not_answer_holds_up_look_ups_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers, begun, asked = threading.Event(), threading.Semaphore(0), []

    def silent(host: str, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        begun.release()
        answers.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    names = [f"host-{number}" for number in range(4 * MOST_AT_ONCE)]
    try:
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(host_addresses(name)) for name in names]
            # Everything else has threads left.
            for _ in range(MOST_AT_ONCE):
                await asyncio.to_thread(begun.acquire)
            assert await host_addresses("192.0.2.7") == ("192.0.2.7",)
            assert await host_addresses("2001:db8::7") == ("2001:db8::7",)
            for task in waiting:
                task.cancel()
    finally:
        answers.set()
    # Who gave up while it waited for its turn is not asked for.
    assert sorted(asked) == sorted(names[:MOST_AT_ONCE])
