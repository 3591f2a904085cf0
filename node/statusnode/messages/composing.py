"""Making an envelope of a message: lay out, seal, mine (Waku VAC-6).

The one place where the parts of this package meet; the RPC posts through it, and so do the clients
of mailservers. Expiry is counted from the time given, before mining, as status-go does it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from statusnode.codec import rlp
from statusnode.crypto.keys import PrivateKey, PublicKey
from statusnode.messages import payload, sealing
from statusnode.messages.envelope import HEADER_SIZE, Envelope
from statusnode.messages.mining import Miner
from statusnode.messages.pow import target_bits

DEFAULT_TTL_SECONDS: Final = 50
_UINT32_MASK: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be sealed, for a symmetric key (bytes) or for the owner of a public key."""

    content: bytes
    recipient: bytes | PublicKey = field(repr=False)
    topic: bytes = bytes(4)
    padding: bytes = b""
    """Empty: random, up to the next multiple of 256 bytes."""
    signer: PrivateKey | None = None
    ttl_seconds: int = 0
    """0 stands for `DEFAULT_TTL_SECONDS`."""
    pow_target: float = 0.0
    """0: no mining. Negative: mine for all of `pow_time_seconds`, which the expiry then gains."""
    pow_time_seconds: int = 0


async def compose(draft: Draft, miner: Miner, now: float) -> Envelope:
    """Seal a draft at the unix time `now` and find its proof of work.

    Raises:
        PayloadError: the content is too large for any message.
        SymmetricKeyError: the recipient is a symmetric key that cannot serve as one.
        MiningError: the proof of work could not be found, or not in time.
    """
    plaintext = payload.encode(draft.content, padding=draft.padding, signer=draft.signer)
    if isinstance(draft.recipient, PublicKey):
        data = sealing.seal_asymmetric(plaintext, draft.recipient)
    else:
        data = sealing.seal_symmetric(plaintext, draft.recipient)
    ttl = draft.ttl_seconds or DEFAULT_TTL_SECONDS
    expiry = int(now) + ttl + (draft.pow_time_seconds if draft.pow_target < 0 else 0)
    expiry &= _UINT32_MASK
    nonce = 0
    if draft.pow_target != 0:
        header = rlp.encode([expiry, ttl, draft.topic, data])
        bits = 0
        if draft.pow_target > 0:
            bits = target_bits(draft.pow_target, HEADER_SIZE + len(data), ttl)
        nonce = await miner.mine(header, bits, draft.pow_time_seconds)
    return Envelope.build(expiry, ttl, draft.topic, data, nonce)
