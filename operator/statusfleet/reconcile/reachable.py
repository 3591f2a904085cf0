"""Whether the world can reach what a member advertises: dialed over RLPx, repeatedly.

A record sends strangers to an address, so somebody should have been there first. The dial ends when
the node has proved with its key that it is the one, whatever it says then: "too many peers" comes
from a node that was reached. What was proved of one address says nothing of another.

Most members are dialed from where this process runs. Who has to be dialed from elsewhere, and how
that is done, the world knows (`Vantage`). The dials run beside the passes: a pass says whom to dial
(`want`) and asks what is known.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from typing import Final

from statusfleet.plan import ObservedMember
from statusfleet.reconcile.pace import DialPace
from statusfleet.worlds.protocol import Vantage
from statusnode.records.enode import Enode

LONGEST_RETRY_SECONDS: Final = 300.0
_MOST_AT_ONCE: Final = 16
"""Members of a fleet that are dialed from here at a time: who has a new address waits for these."""
_IN_VAIN: Final = 5
"""Dials without success after which a member counts as unreachable: half a minute from here."""
Elsewhere = Callable[[ObservedMember], Vantage | None]
"""Tells from where else than here a member has to be dialed; None: from here."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address to dial, and from where."""

    enode: Enode
    vantage: Vantage


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of one address. `failures` counts the dials since it was last reached."""

    target: Target
    proved: bool = False
    problem: str = ""
    failures: int = 0
    due: float = 0.0


Named = tuple[str, Proof]
"""A member's name and what was known of it when its dial began."""


def _nowhere_else(_: ObservedMember) -> Vantage | None:
    return None


class DialBack:
    """Has the members of one fleet dialed."""

    def __init__(
        self,
        here: Vantage,
        now: Callable[[], float],
        changed: Callable[[], None],
        *,
        required: bool = True,
        elsewhere: Elsewhere = _nowhere_else,
        pace: DialPace | None = None,
    ) -> None:
        """Take the usual place to dial from, who needs another, and whom to tell of a change.

        Unless `required`, what is found is told and keeps nobody out of the tree. `pace` is
        that of all fleets whose members are dialed from here; other places have their own.
        """
        self.here = here
        self._now = now
        self._changed = changed
        self._required = required
        self._elsewhere = elsewhere
        self._proofs: dict[str, Proof] = {}
        self._resting: dict[str, Proof] = {}  # of members that are not dialed for now
        self._under_way: set[Named] = set()
        self._wanted = asyncio.Event()
        self._pace = pace or DialPace()

    def target(self, enode: Enode, member: ObservedMember) -> Target:
        """Return how to dial a member at an address."""
        return Target(enode, self._elsewhere(member) or self.here)

    def want(self, targets: Mapping[str, Target], resting: Collection[str] = ()) -> None:
        """Dial these members by name, and no others; one with a new address is dialed soon.

        What is known of those that are `resting`, such as ones that are just started anew, is kept
        until they are wanted again.
        """
        before, known = self._proofs, self._resting | self._proofs
        self._proofs = {name: _proof(known.get(name), target) for name, target in targets.items()}
        kept = known.keys() & set(resting) - targets.keys()
        self._resting = {name: known[name] for name in kept}
        if any(before.get(name) is not proof for name, proof in self._proofs.items()):
            self._wanted.set()

    def rest(self) -> None:
        """Dial nobody until somebody is wanted again; what is known is kept."""
        self.want({}, {**self._resting, **self._proofs})

    def proved(self, name: str, enode: Enode) -> bool:
        """Tell whether a member may be published with that address: it was reached there once."""
        proof = self._proofs.get(name)
        return not self._required or (
            proof is not None and proof.target.enode == enode and proof.proved
        )

    def problems(self) -> dict[str, str]:
        """Return by name what kept members from being reached when they were last dialed."""
        return {name: proof.problem for name, proof in self._proofs.items() if proof.problem}

    def unreachable(self) -> frozenset[str]:
        """Return the members that were dialed in vain so often that nobody should wait for them."""
        return frozenset(name for name, proof in self._proofs.items() if _is_given_up(proof))

    def pending(self) -> tuple[str, ...]:
        """Return the members that were not dialed yet."""
        return tuple(n for n, p in self._proofs.items() if not p.proved and not p.problem)

    def elsewhere(self) -> dict[str, Vantage]:
        """Return by name from where those members are dialed that are not dialed from here."""
        places = {name: proof.target.vantage for name, proof in self._proofs.items()}
        return {name: place for name, place in places.items() if place is not self.here}

    async def run(self) -> None:
        """Dial until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wanted.clear()
                for batch in self._due():
                    self._under_way |= set(batch)
                    group.create_task(self._dial_all(batch))
                await self._rest()

    def _due(self) -> list[list[Named]]:
        """Return who is to be dialed now: some from here at once, others each by itself.

        Of dials from here the last ends soon after the first; one word for all is enough.
        """
        now = self._now()
        due = [one for one in self._idle() if one[1].due <= now]
        here = sorted((one for one in due if self._is_from_here(one)), key=_urgency)
        others = [[one] for one in due if not self._is_from_here(one)]
        return [here[:_MOST_AT_ONCE], *others] if here else others

    def _idle(self) -> list[Named]:
        """Return who may be dialed: from here nobody else while some are."""
        busy = any(self._is_from_here(one) for one in self._under_way)
        idle = [one for one in self._proofs.items() if one not in self._under_way]
        return [one for one in idle if not (busy and self._is_from_here(one))]

    def _is_from_here(self, one: Named) -> bool:
        return one[1].target.vantage is self.here

    async def _rest(self) -> None:
        moments = [proof.due for _, proof in self._idle()]
        wait = max(0.0, min(moments) - self._now()) if moments else None
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._wanted.wait()

    async def _dial_all(self, batch: list[Named]) -> None:
        here = self._is_from_here(batch[0])
        # Ten thousand dials that only wait for their turn would take 30 MiB: their fleets wait.
        async with self._pace.fleet() if here else nullcontext(), asyncio.TaskGroup() as group:
            dials = [group.create_task(self._knock(proof.target)) for _, proof in batch]
        self._under_way -= set(batch)
        self._wanted.set()
        # All fleets begin together when the operator starts; members of one stay together, since
        # each word has a pass made.
        now, spread = self._now(), random.uniform(0.8, 1.2)  # noqa: S311 - no secret
        found = [(*one, dial.result()) for one, dial in zip(batch, dials, strict=True)]
        news = [self._note(*one, now, spread) for one in found]
        if any(news):
            self._changed()

    async def _knock(self, target: Target) -> str:
        if target.vantage is self.here:
            await self._pace.dial()
        return await target.vantage.knock(target.enode)

    def _note(self, name: str, proof: Proof, problem: str, now: float, spread: float) -> bool:
        """Note what came of a member's dial; tell whether that makes known anything new."""
        if self._proofs.get(name) != proof:
            return False  # it has another address by now
        vantage, failures = proof.target.vantage, proof.failures + 1 if problem else 0
        retry = min(LONGEST_RETRY_SECONDS, vantage.retry_seconds * 2 ** min(failures - 1, 10))
        found = replace(
            proof,
            proved=proof.proved or not problem,
            problem=problem,
            failures=failures,
            due=now + spread * (retry if problem else vantage.repeat_seconds),
        )
        self._proofs[name] = found
        return _news(found) != _news(proof)


def _urgency(one: Named) -> tuple[int, float]:
    """Order members: who was not dialed in vain yet comes first, such as one with a new address."""
    return one[1].failures, one[1].due


def _is_given_up(proof: Proof) -> bool:
    return not proof.proved and proof.failures >= _IN_VAIN


def _news(proof: Proof) -> tuple[bool, str, bool]:
    """Return what of a proof is made known."""
    return proof.proved, proof.problem, _is_given_up(proof)


def _proof(known: Proof | None, target: Target) -> Proof:
    """Return what is known of a target: of one that moved, its address alone."""
    if known is None or known.target.enode != target.enode:
        return Proof(target)
    if known.target == target:
        return known
    return replace(known, target=target, failures=0, due=0.0)
