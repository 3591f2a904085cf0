"""Asking a mailserver for one message, until it has it (VAC-10, "Requesting messages").

The request is sealed with the mail password and goes over the run's own session, so that it proves
what a client needs: the password, the selection by topic, the delivery, the end of the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from statusfleet.canary.config import CanaryConfig
from statusfleet.canary.link import Link
from statusnode.mailserver.request import MailRequest
from statusnode.mailserver.response import Failure, ResponseError, decode
from statusnode.mailserver.sealed import draft_request
from statusnode.messages.bloom import bloom_bytes, bloom_of
from statusnode.messages.composing import compose
from statusnode.messages.envelope import Envelope
from statusnode.messages.mining import Miner
from statusnode.messages.sealing import derive_symmetric_key

# Mailservers take one request a second from a peer, unless told otherwise.
_RETRY_SECONDS: Final = 1.05
_CLOCK_SKEW_SECONDS: Final = 20
_RATE_LIMITED: Final = "rate limit exceeded"


class MailError(Exception):
    """A mailserver that refuses the request; the message is its own."""


@dataclass(slots=True)
class MailKey:
    """The key of a mail password, derived once: it takes tens of milliseconds on purpose."""

    _password: str = field(default="", repr=False)
    _key: bytes = field(default=b"", repr=False)

    async def of(self, password: str) -> bytes:
        """Return the key of `password`."""
        if not self._key or password != self._password:
            self._key = await asyncio.to_thread(derive_symmetric_key, password)
            self._password = password
        return self._key


@dataclass(frozen=True, slots=True)
class Tools:
    """What runs have in common: the miner, the mail password's key, the clock (unix seconds)."""

    miner: Miner
    mail_key: MailKey
    now: Callable[[], float]


async def fetch(link: Link, envelope: Envelope, config: CanaryConfig, tools: Tools) -> None:
    """Ask for `envelope` by its topic until the answer holds it; the caller bounds the time.

    Raises:
        MailError: the mailserver refuses.
        LinkLostError: the session ended.
        MiningError: no proof of work for the request was found in time.
    """
    key = await tools.mail_key.of(config.mail_password.get_secret_value())
    request = MailRequest(
        lower=envelope.sent - _CLOCK_SKEW_SECONDS,
        upper=envelope.sent + _CLOCK_SKEW_SECONDS,
        bloom=bloom_bytes(bloom_of([envelope.topic])),
        topics=(envelope.topic,),
    )
    while True:
        draft = draft_request(request, key, config.key, config.min_pow)
        sealed = await compose(draft, tools.miner, tools.now())
        link.request_mail(sealed.raw)
        try:
            answer = decode(await link.mail_response(sealed.hash))
        except ResponseError as error:
            raise MailError(f"the end of the answer is malformed: {error}") from error
        if isinstance(answer, Failure) and answer.text != _RATE_LIMITED:
            raise MailError(f"the mailserver says: {answer.text}")
        if link.delivered(envelope.hash):
            return
        await asyncio.sleep(_RETRY_SECONDS)
