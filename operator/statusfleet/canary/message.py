"""The message that a run sends: random content under a random key on a random topic.

Nobody else can read it or wants its topic, so what comes back is this run's and no other's.
"""

from __future__ import annotations

import math
import secrets
from typing import Final

from statusnode.messages.composing import Draft, compose
from statusnode.messages.envelope import Envelope
from statusnode.messages.mining import Miner
from statusnode.messages.sealing import SYMMETRIC_KEY_SIZE
from statusnode.messages.topic import TOPIC_SIZE

_CONTENT_SIZE: Final = 64
_SPARE_SECONDS: Final = 20  # clocks of members may differ by this much


def random_topic() -> bytes:
    """Return a topic of this run's own."""
    return secrets.token_bytes(TOPIC_SIZE)


async def probe_message(
    topic: bytes, miner: Miner, *, now: float, timeout_seconds: float, min_pow: float
) -> Envelope:
    """Return a sealed envelope with the proof of work that the fleet asks for.

    It lives a little longer than the run, and no longer.

    Raises:
        MiningError: the proof of work was not found within the timeout.
    """
    draft = Draft(
        content=secrets.token_bytes(_CONTENT_SIZE),
        recipient=secrets.token_bytes(SYMMETRIC_KEY_SIZE),
        topic=topic,
        ttl_seconds=_SPARE_SECONDS + math.ceil(timeout_seconds),
        pow_target=min_pow,
        pow_time_seconds=max(1, math.ceil(timeout_seconds)),
    )
    return await compose(draft, miner, now)
