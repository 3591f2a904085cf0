"""The sealed form of a mail request: an envelope for whoever has the mailserver's password.

Anybody may sign it: a signature must be there, but whose it is does not matter. Its expiry is not
looked at either. The checks and their sentences stand in status-go's order (`mailserver.go`).
"""

from __future__ import annotations

from typing import Final

from statusnode.codec import rlp
from statusnode.crypto.keys import PrivateKey, PublicKey
from statusnode.mailserver.request import MailRequest, RequestError
from statusnode.messages import payload, sealing
from statusnode.messages.composing import Draft
from statusnode.messages.envelope import Envelope

_POW_TIME_SECONDS: Final = 5


def open_request(envelope: Envelope, key: bytes, min_pow: float) -> MailRequest:
    """Open a sealed request with the password's key.

    Raises:
        RequestError: it is refused.
    """
    if not envelope.reaches(min_pow):
        raise RequestError("PoW too low")
    try:
        message = payload.decode(sealing.open_symmetric(envelope.data, key))
    except (sealing.OpeningError, payload.PayloadError) as error:
        raise RequestError("failed to decrypt p2p request") from error
    if message.signer is None:
        raise RequestError("check message signature failed: wrong signature of p2p request")
    try:
        return MailRequest.decode(message.content)
    except rlp.RLPError as error:
        raise RequestError(f"failed to decode data: {error}") from error


def draft_request(
    request: MailRequest, recipient: bytes | PublicKey, signer: PrivateKey, min_pow: float
) -> Draft:
    """Lay out a sealed request for the password's key, or for the mailserver's public key.

    `min_pow` is the proof of work that the server asks for.
    """
    return Draft(
        content=request.encode(),
        recipient=recipient,
        signer=signer,
        pow_target=min_pow,
        pow_time_seconds=_POW_TIME_SECONDS,
    )
