"""One run of the canary: connect, post, receive, fetch, all within the timeout.

All sessions are opened side by side before the post, each with the run's topic as its only
interest, so that a member which relays the message shows it on its own session. A mailserver is
asked for the message once it has shown it: by then it has accepted it, and answers from its archive
only after everything accepted before is durable. What one part finds never hides what another does:
each leg fails for itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from statusfleet.canary.config import CanaryConfig, Target
from statusfleet.canary.link import CanaryProtocol, Link, LinkLostError
from statusfleet.canary.mail import MailError, Tools, fetch
from statusfleet.canary.message import probe_message, random_topic
from statusfleet.canary.rotation import Route, route
from statusfleet.canary.verdict import Leg, LegKind, Verdict
from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.client import DialError, dial
from statusnode.devp2p.protocol import DisconnectReason
from statusnode.messages.envelope import Envelope
from statusnode.messages.mining import MiningError

_CLIENT_NAME: Final = "Statusd/canary"
_MS: Final = 1000
_FAILURES: Final = (DialError, LinkLostError, MailError, MiningError)


async def run(config: CanaryConfig, number: int, tools: Tools) -> Verdict:
    """Make the run with this number (0, 1, …)."""
    chosen = route(config, number)
    if chosen is None:
        nobody = Leg(LegKind.CONNECT, "the fleet", None, "there is no member to ask")
        return Verdict(number, tools.now(), (nobody,))
    legs = await _Run(config, chosen, tools).legs()
    return Verdict(number, tools.now(), tuple(legs))


class _Run:
    def __init__(self, config: CanaryConfig, chosen: Route, tools: Tools) -> None:
        self._config = config
        self._route = chosen
        self._tools = tools
        self._topic = random_topic()
        self._legs: list[Leg] = []
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + config.timeout_seconds

    async def legs(self) -> list[Leg]:
        """Go through all legs and return them in the order of their kinds."""
        async with AsyncExitStack() as stack:
            post, receive, *mail = await self._connect(stack)
            if post is not None:
                await self._exchange(post, receive, mail)
        return sorted(self._legs, key=lambda leg: (list(LegKind).index(leg.kind), leg.member))

    async def _connect(self, stack: AsyncExitStack) -> list[Link | None]:
        """Open all sessions; None stands for one that failed, and its leg says why.

        A member with two parts gets one session for both, but for an echo, which needs another.
        """
        key = self._config.key
        wanted: dict[tuple[str, bool], tuple[Target, PrivateKey]] = {}
        chosen = self._route
        places = [(chosen.post, False), (chosen.receive, chosen.echoes)]
        places += [(target, False) for target in chosen.mailservers]
        for target, again in places:
            wanted[target.name, again] = (target, PrivateKey.generate() if again else key)
        async with asyncio.TaskGroup() as group:
            tasks = {
                place: group.create_task(self._open(stack, *with_whom))
                for place, with_whom in wanted.items()
            }
        return [tasks[target.name, again].result() for target, again in places]

    async def _open(self, stack: AsyncExitStack, target: Target, key: PrivateKey) -> Link | None:
        async with self._leg(LegKind.CONNECT, target, "no session within the timeout"):
            left = max(0.001, self._deadline - self._loop.time())
            protocol = CanaryProtocol(self._topic)
            connection = await dial(target.address, key, [protocol], left, client_name=_CLIENT_NAME)
            stack.callback(connection.disconnect, DisconnectReason.REQUESTED)
            link = protocol.link
            if link is not None:
                await link.greeted()
                return link
        return None

    async def _exchange(self, post: Link, receive: Link | None, mail: list[Link | None]) -> None:
        chosen = self._route
        posted: list[Envelope] = []
        async with self._leg(LegKind.POST, chosen.post, "no proof of work within the timeout"):
            envelope = await probe_message(
                self._topic,
                self._tools.miner,
                now=self._tools.now(),
                timeout_seconds=self._config.timeout_seconds,
                min_pow=self._config.min_pow,
            )
            post.post(envelope.raw)
            posted.append(envelope)
        if not posted:
            return
        async with asyncio.TaskGroup() as group:
            if receive is not None:
                group.create_task(self._receive(receive, chosen.receive, posted[0]))
            for target, link in zip(chosen.mailservers, mail, strict=True):
                if link is not None:
                    group.create_task(self._fetch(link, target, posted[0], shows=link is not post))

    async def _receive(self, link: Link, target: Target, envelope: Envelope) -> None:
        async with self._leg(LegKind.RECEIVE, target, "the message did not arrive in time"):
            await link.seen(envelope.hash)

    async def _fetch(self, link: Link, target: Target, envelope: Envelope, *, shows: bool) -> None:
        silence = "the archive did not return the message in time"
        async with self._leg(LegKind.FETCH, target, silence):
            if shows:
                await link.seen(envelope.hash)
            await fetch(link, envelope, self._config, self._tools)

    @asynccontextmanager
    async def _leg(self, kind: LegKind, target: Target, silence: str) -> AsyncIterator[None]:
        """Note how a part went: its time, or why it failed; a failure goes no further."""
        began = self._loop.time()
        error = ""
        try:
            async with asyncio.timeout_at(self._deadline):
                yield
        except TimeoutError:
            error = f"{silence} ({self._config.timeout_seconds:g} s)"
        except _FAILURES as failure:
            error = str(failure)
        latency = None if error else round((self._loop.time() - began) * _MS, 1)
        self._legs.append(Leg(kind, target.name, latency, error))
