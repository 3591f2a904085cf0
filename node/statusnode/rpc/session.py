"""A connection that stays open: requests side by side, answers and notifications in one line out.

Each document is served by a task of its own, at most `_MAX_CALLS` at once; then reading waits.
What is to be sent goes through an outbox, so that a notification never waits for the peer: when
the peer leaves more than `_MAX_OUTBOX` bytes unread, or takes longer than `_WRITE_SECONDS` for one
write, the connection is ended. A subscription's notifications follow the answer that names it. The
end of the input ends the session: calls under way have `_GRACE_SECONDS` to finish.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

from statusnode.rpc import message
from statusnode.rpc.dispatch import Cancel, Dispatcher, Notify
from statusnode.rpc.errors import ParseError
from statusnode.rpc.values import Result

_log = logging.getLogger(__name__)

_MAX_CALLS: Final = 64
_MAX_OUTBOX: Final = 64 << 20
_MAX_HELD: Final = 1024
_WRITE_SECONDS: Final = 10.0
_GRACE_SECONDS: Final = 5.0


class Transport(Protocol):
    """The way out of a session."""

    async def write(self, data: bytes) -> None:
        """Send one answer and wait until there is room for the next."""
        ...

    def abort(self) -> None:
        """Close at once; the input ends, too."""
        ...


class _Outbox:
    """What is to be sent, in order, and how many bytes that is."""

    def __init__(self) -> None:
        self.bytes = 0
        self._waiting: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, data: bytes) -> None:
        if not self._closed:
            self._waiting.append(data)
            self.bytes += len(data)
            self._changed.set()

    def close(self) -> None:
        """Take nothing more; what waits still goes out."""
        self._closed = True
        self._changed.set()

    async def get(self) -> bytes | None:
        """Wait for the next; None when there will be none."""
        while not self._waiting:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        data = self._waiting.popleft()
        self.bytes -= len(data)
        return data


class Session:
    """Serves one connection; see the module."""

    def __init__(self, dispatcher: Dispatcher, transport: Transport) -> None:
        self._dispatcher = dispatcher
        self._transport = transport
        self._outbox = _Outbox()
        self._slots = asyncio.Semaphore(_MAX_CALLS)
        self._subscriptions: dict[str, Cancel] = {}

    async def run(self, documents: AsyncIterator[bytes]) -> None:
        """Serve until the input ends, the peer stops reading, or what comes is no JSON."""
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write())
                calls = await self._read(documents, tasks)
                if calls:
                    await asyncio.wait(calls, timeout=_GRACE_SECONDS)
                for call in calls:
                    call.cancel()
                self._outbox.close()
                await writer
        except* OSError as errors:
            _log.debug("An RPC connection ended: %s", errors.exceptions[0])
            self._transport.abort()
        finally:
            while self._subscriptions:
                self._subscriptions.popitem()[1]()

    async def _read(
        self, documents: AsyncIterator[bytes], tasks: asyncio.TaskGroup
    ) -> set[asyncio.Task[None]]:
        """Start a task for each document; return those that are not done at the end."""
        calls: set[asyncio.Task[None]] = set()
        try:
            async for document in documents:
                incoming = message.parse(document)
                if incoming is not None:
                    await self._slots.acquire()
                    call = tasks.create_task(self._serve(incoming))
                    calls.add(call)
                    call.add_done_callback(calls.discard)
        except ParseError as error:
            self.send(message.line(message.failure("null", error)))
        return set(calls)

    async def _serve(self, incoming: message.Incoming | list[message.Incoming]) -> None:
        try:
            scope = _Scope(self)
            answer = await self._dispatcher.answer(incoming, scope)
            if answer is not None:
                self.send(answer)
            scope.open()
        finally:
            self._slots.release()

    async def _write(self) -> None:
        while (data := await self._outbox.get()) is not None:
            async with asyncio.timeout(_WRITE_SECONDS):
                await self._transport.write(data)

    def send(self, data: bytes) -> None:
        """Put something into the line out; end the connection when the line is too long."""
        self._outbox.put(data)
        if self._outbox.bytes > _MAX_OUTBOX:
            self.end()

    def end(self) -> None:
        """End the connection at once."""
        self._outbox.close()
        self._transport.abort()

    def add_subscription(self, subscription_id: str, cancel: Cancel) -> None:
        """Remember how a subscription is ended."""
        self._subscriptions[subscription_id] = cancel

    def end_subscription(self, subscription_id: str) -> bool:
        """End a subscription; tell whether there was one."""
        cancel = self._subscriptions.pop(subscription_id, None)
        if cancel is None:
            return False
        cancel()
        return True


class _Scope:
    """The subscriber of one document: it holds notifications back until the answer is out."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._held: list[bytes] | None = []

    def subscribe(self, namespace: str, start: Callable[[Notify], Cancel]) -> str:
        # Like go-ethereum's ids, a quantity: no leading zeros.
        subscription_id = f"{secrets.randbits(128):#x}"

        def notify(value: Result) -> None:
            self._send(message.notification(namespace, subscription_id, value))

        self._session.add_subscription(subscription_id, start(notify))
        return subscription_id

    def unsubscribe(self, subscription_id: str) -> bool:
        return self._session.end_subscription(subscription_id)

    def _send(self, data: bytes) -> None:
        if self._held is None:
            self._session.send(data)
        elif len(self._held) < _MAX_HELD:
            self._held.append(data)
        else:
            self._session.end()

    def open(self) -> None:
        """Let notifications through, the held ones first."""
        held, self._held = self._held or [], None
        for data in held:
            self._session.send(data)
