"""Whether the world can reach what a member advertises: dialed from here over RLPx, repeatedly.

A record sends strangers to an address, so somebody should have been there first. The dial ends when
the node has proved with its key that it is the one, whatever it says then: "too many peers" comes
from a node that was reached. What was proved of one address says nothing of another.

The dials run beside the passes: a pass says whom to dial (`want`) and asks what is known.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.client import DialError, dial
from statusnode.devp2p.protocol import DisconnectReason
from statusnode.records.enode import Enode

TIMEOUT_SECONDS: Final = 5.0
REPEAT_SECONDS: Final = 300.0
FIRST_RETRY_SECONDS: Final = 1.0
_REACHED: Final = frozenset(
    {
        DisconnectReason.REQUESTED,
        DisconnectReason.USELESS_PEER,
        DisconnectReason.TOO_MANY_PEERS,
        DisconnectReason.ALREADY_CONNECTED,
        DisconnectReason.INCOMPATIBLE_VERSION,
        DisconnectReason.QUITTING,
    }
)
"""What is said within a session, which only the holder of the node's key can open."""
_MOST_AT_ONCE: Final = 8
MOST_OF_ALL: Final = 128
"""Dials under way at a time where many fleets are looked after (`slots`)."""

Knock = Callable[[Enode], Awaitable[str]]
"""Dials a node; returns what keeps it from being reached, "" where nothing does."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of one address. `failures` counts the dials since it was last reached."""

    enode: Enode
    proved: bool = False
    problem: str = ""
    failures: int = 0
    due: float = 0.0


class DialBack:
    """Dials the members of one fleet from where this process runs."""

    def __init__(
        self,
        vantage: str,
        now: Callable[[], float],
        changed: Callable[[], None],
        *,
        required: bool = True,
        knock: Knock | None = None,
        slots: asyncio.Semaphore | None = None,
    ) -> None:
        """Take what to call the place from where it is dialed, and whom to tell of a change.

        Unless `required`, what is found is told and keeps nobody out of the tree. `slots` bounds
        the dials of several fleets together.
        """
        self.vantage = vantage
        self._now = now
        self._changed = changed
        self._required = required
        self._knock = knock or knocker(PrivateKey.generate())
        self._proofs: dict[str, Proof] = {}
        self._wanted = asyncio.Event()
        self._own_slots = asyncio.Semaphore(_MOST_AT_ONCE)
        self._slots = slots or asyncio.Semaphore(MOST_OF_ALL)

    def want(self, targets: Mapping[str, Enode]) -> None:
        """Dial these members by name, and no others; one with a new address is dialed soon."""
        kept = {
            name: proof for name, proof in self._proofs.items() if targets.get(name) == proof.enode
        }
        new = {name: Proof(enode) for name, enode in targets.items() if name not in kept}
        self._proofs = kept | new
        if new:
            self._wanted.set()

    def proved(self, name: str, enode: Enode) -> bool:
        """Tell whether a member may be published with that address: it was reached there once."""
        proof = self._proofs.get(name)
        return not self._required or (proof is not None and proof.enode == enode and proof.proved)

    def problems(self) -> dict[str, str]:
        """Return by name what kept members from being reached when they were last dialed."""
        return {name: proof.problem for name, proof in self._proofs.items() if proof.problem}

    def pending(self) -> tuple[str, ...]:
        """Return the members that were not dialed yet."""
        return tuple(n for n, p in self._proofs.items() if not p.proved and not p.problem)

    async def run(self) -> None:
        """Dial until cancelled."""
        while True:
            self._wanted.clear()
            now = self._now()
            due = [name for name, proof in self._proofs.items() if proof.due <= now]
            before = self._outcome()
            async with asyncio.TaskGroup() as group:
                for name in due:
                    group.create_task(self._dial(name, self._proofs[name]))
            if self._outcome() != before:
                self._changed()
            await self._rest()

    async def _rest(self) -> None:
        moments = [proof.due for proof in self._proofs.values()]
        wait = max(0.0, min(moments) - self._now()) if moments else None
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._wanted.wait()

    async def _dial(self, name: str, proof: Proof) -> None:
        async with self._own_slots, self._slots:
            problem = await self._knock(proof.enode)
        if self._proofs.get(name) is not proof:
            return  # it has another address by now
        failures = proof.failures + 1 if problem else 0
        wait = min(REPEAT_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 10))
        # All fleets begin together when the operator starts.
        spread = random.uniform(0.8, 1.2)  # noqa: S311 - no secret
        self._proofs[name] = replace(
            proof,
            proved=proof.proved or not problem,
            problem=problem,
            failures=failures,
            due=self._now() + spread * (wait if problem else REPEAT_SECONDS),
        )

    def _outcome(self) -> tuple[tuple[str, bool, str], ...]:
        return tuple((name, p.proved, p.problem) for name, p in self._proofs.items())


def knocker(key: PrivateKey) -> Knock:
    """Return the way to dial with `key`, which belongs to nobody."""

    async def knock(enode: Enode) -> str:
        try:
            connection = await dial(enode, key, (), TIMEOUT_SECONDS)
        except DialError as error:
            return "" if error.reason in _REACHED else str(error)
        connection.disconnect(DisconnectReason.QUITTING)
        return ""

    return knock
