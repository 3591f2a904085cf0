"""Keeps sessions with static nodes: one task a node, at most so many dials at once.

Any session with the node will do, whoever dialed it. A name in an enode is looked up at each dial,
so a node whose address changes is followed.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Final, Protocol

from statusnode.devp2p.connection import Connection
from statusnode.devp2p.info import StaticNodeInfo
from statusnode.devp2p.limits import Limits
from statusnode.devp2p.messages import known_reason
from statusnode.devp2p.owner import Standing
from statusnode.devp2p.protocol import DisconnectReason
from statusnode.devp2p.redial import EagerRedial, Redial, SteadyRedial
from statusnode.records.enode import Enode

_log: Final = logging.getLogger(__name__)


class Network(Protocol):
    """What a dialer needs of its server."""

    def peer(self, node_id: bytes) -> Connection | None:
        """Return the open session with a node."""
        ...

    async def connect(self, enode: Enode, standing: Standing) -> Connection:
        """Make a TCP connection and begin a session on it.

        Raises:
            OSError: there is no connection; `TimeoutError` is one of them.
        """
        ...


@dataclass(slots=True)
class _Target:
    enode: Enode
    fleet: bool
    redial: Redial
    attempts: int = 0
    refusal: DisconnectReason | None = None
    error: str = ""
    task: asyncio.Task[None] | None = field(default=None)


class Dialer:
    """Dials static nodes until told otherwise."""

    def __init__(self, network: Network, limits: Limits) -> None:
        self._network = network
        self._limits = limits
        self._targets: dict[bytes, _Target] = {}
        self._slots = asyncio.Semaphore(limits.parallel_dials)
        self._group: asyncio.TaskGroup | None = None

    def add(self, enode: Enode, *, fleet: bool = False) -> None:
        """Keep a session with this node; a new address of a known one takes effect at once."""
        known = self._targets.get(enode.node_id)
        if known is not None:
            if known.enode == enode and known.fleet == fleet:
                return
            self.remove(enode.node_id)
        interval = self._limits.redial_seconds
        redial = EagerRedial(interval) if fleet else SteadyRedial(interval)
        target = _Target(enode, fleet, redial)
        self._targets[enode.node_id] = target
        if self._group is not None:
            self._start(target, self._group)

    def remove(self, node_id: bytes) -> bool:
        """Dial this node no more; tell whether it was dialed before."""
        target = self._targets.pop(node_id, None)
        if target is None:
            return False
        if target.task is not None:
            target.task.cancel()
        return True

    def nodes(self) -> list[StaticNodeInfo]:
        """Return how it stands with each node, in the order they were added."""
        return [
            StaticNodeInfo(
                target.enode,
                target.fleet,
                self._network.peer(node_id) is not None,
                target.attempts,
                target.refusal,
                target.error,
            )
            for node_id, target in self._targets.items()
        ]

    async def run(self) -> None:
        """Dial until cancelled."""
        async with asyncio.TaskGroup() as group:
            for target in self._targets.values():
                self._start(target, group)
            self._group = group
            try:
                await asyncio.Event().wait()
            finally:
                self._group = None

    def _start(self, target: _Target, group: asyncio.TaskGroup) -> None:
        if not target.enode.host or not target.enode.tcp:
            target.error = "the enode has no address to dial"
            _log.warning("Static node without an address", extra={"enode": target.enode})
            return
        target.task = group.create_task(self._keep(target), name=f"dial {target.enode.host}")

    async def _keep(self, target: _Target) -> None:
        loop = asyncio.get_running_loop()
        while True:
            there = self._network.peer(target.enode.node_id)
            if there is not None:
                await there.closed.wait()
                continue
            async with self._slots:
                if self._network.peer(target.enode.node_id) is not None:
                    continue
                session = await self._dial(target)
                begun = loop.time()
            seconds = None
            if session is not None:
                await session.closed.wait()
                seconds = loop.time() - begun
            await asyncio.sleep(target.redial.after(seconds))

    async def _dial(self, target: _Target) -> Connection | None:
        """Dial once; return the session, if it opened."""
        standing = Standing(static=True, fleet=target.fleet)
        try:
            connection = await self._network.connect(target.enode, standing)
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that DNS cannot hold
            target.attempts += 1
            target.refusal = None
            target.error = str(error) or "the dial took too long"
            _log.debug("Dial error", extra={"enode": target.enode, "err": target.error})
            return None
        try:
            await connection.settled.wait()
        except asyncio.CancelledError:
            connection.abort("no longer wanted")
            raise
        target.attempts += 1
        ending = connection.ending
        target.refusal = None if ending is None else known_reason(ending.reason)
        target.error = "" if ending is None else ending.detail
        return connection if ending is None else None
