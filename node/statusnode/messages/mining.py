"""Proof of work for the envelopes of this node, without its event loop feeling it.

What a handful of nonces can solve, as the low targets of Status can, is solved on the spot: the
first `_ON_THE_SPOT` nonces cost about a quarter of a millisecond. Everything else goes to one
worker process (`mining_worker`), started when it is first needed and kept; a thread would share
the interpreter lock with the relay. Jobs wait for each other in order, at most `_MAX_WAITING` of
them. A cancelled job ends the worker, which is the quickest way to have its core back; the next
job starts another.
"""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from typing import Final

from statusnode.messages import mining_worker
from statusnode.messages.child import start_child
from statusnode.messages.mining_worker import REPLY, REQUEST, Search

_ON_THE_SPOT: Final = 256
_MAX_WAITING: Final = 64


class MiningError(Exception):
    """No proof of work: the time was too short, or there is no miner to ask."""


class TargetMissedError(MiningError):
    """The target was not reached within the time given."""

    def __init__(self, limit_seconds: float) -> None:
        super().__init__(
            "failed to reach the PoW target, specified pow time "
            f"({limit_seconds:g} seconds) was insufficient"
        )


class Miner:
    """Finds nonces; closed with `close`."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._process: Process | None = None
        self._closed = False

    async def mine(self, header: bytes, target_bits: int, limit_seconds: float) -> int:
        """Return the first nonce whose proof has `target_bits` leading zero bits.

        `header` is the RLP of the envelope's first four fields. A target of 0 asks for the best
        nonce that can be found in `limit_seconds`. The time spent waiting for other jobs does not
        count.

        Raises:
            TargetMissedError: the target was not reached in `limit_seconds`.
            MiningError: too many jobs wait, the worker died, or the miner is closed.
        """
        if limit_seconds <= 0:
            if target_bits > 0:
                raise TargetMissedError(limit_seconds)
            return 0
        if target_bits > 0:
            search = Search(header, target_bits)
            if search.run(_ON_THE_SPOT):
                return search.nonce
        if self._waiting >= _MAX_WAITING:
            raise MiningError(f"{_MAX_WAITING} messages wait for their proof of work already")
        self._waiting += 1
        try:
            async with self._turn:
                nonce, bits = await self._ask_worker(header, target_bits, limit_seconds)
        finally:
            self._waiting -= 1
        if bits < target_bits:
            raise TargetMissedError(limit_seconds)
        return nonce

    async def _ask_worker(
        self, header: bytes, target_bits: int, limit_seconds: float
    ) -> tuple[int, int]:
        answered = False
        try:
            process = await self._worker()
            assert process.stdin is not None  # noqa: S101 - both were asked for as pipes
            assert process.stdout is not None  # noqa: S101 - as above
            if process.stdin.is_closing():
                # uvloop raises no OSError for a write to a pipe that it knows to be closed.
                raise BrokenPipeError
            limit_ms = int(limit_seconds * 1000)
            process.stdin.write(REQUEST.pack(len(header), target_bits, limit_ms) + header)
            await process.stdin.drain()
            nonce, bits = REPLY.unpack(await process.stdout.readexactly(REPLY.size))
            answered = True
        except (OSError, asyncio.IncompleteReadError) as error:
            raise MiningError("the miner ended before it had found a nonce") from error
        finally:
            if not answered:
                await self._end_worker()
        return nonce, bits

    async def _worker(self) -> Process:
        if self._closed:
            raise MiningError("the miner is closed")
        if self._process is not None:
            return self._process
        try:
            return await start_child(self._keep, mining_worker.__name__)
        except OSError as error:
            raise MiningError(f"the miner cannot start: {error}") from error

    def _keep(self, process: Process) -> None:
        self._process = process
        if self._closed:
            # `close` was called while it started, and saw nothing to end.
            _kill(process)

    async def _end_worker(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            _kill(process)
            # Reads the pipe to its end too, so that nothing of the process stays behind.
            await process.communicate()

    async def close(self) -> None:
        """End the worker; jobs under way and waiting fail."""
        self._closed = True
        if self._process is not None:
            _kill(self._process)
        async with self._turn:
            await self._end_worker()


def _kill(process: Process) -> None:
    if process.returncode is None:
        process.kill()
