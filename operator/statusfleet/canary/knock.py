"""Whether a member answers at its address, with its own key: one dial over RLPx.

`python -m statusfleet.canary.knock ENODE` dials until the member answers, for ten seconds at most.
Ends with 0 when it did, with 3 when it did not, and then its last line says why; with 2 where
ENODE is no enode URL.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Final

from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.client import DialError, dial
from statusnode.devp2p.protocol import DisconnectReason
from statusnode.records.enode import Enode, EnodeError

TIMEOUT_SECONDS: Final = 5.0
NOT_REACHED: Final = 3
"""Exit code; 1 is Python's own where the program itself is at fault."""
_UNUSABLE: Final = 2
_PATIENCE_SECONDS: Final = 10.0
"""What was just made, such as a load balancer, is not known everywhere at once."""
_PAUSE_SECONDS: Final = 1.0
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


def knocker(key: PrivateKey) -> Callable[[Enode], Awaitable[str]]:
    """Return the way to dial with `key`, which belongs to nobody.

    It returns what keeps a node from being reached, "" where nothing does.
    """

    async def knock(enode: Enode) -> str:
        try:
            connection = await dial(enode, key, (), TIMEOUT_SECONDS)
        except DialError as error:
            return "" if error.reason in _REACHED else str(error)
        connection.disconnect(DisconnectReason.QUITTING)
        return ""

    return knock


async def knock_on(enode: Enode, patience_seconds: float = _PATIENCE_SECONDS) -> str:
    """Dial until the node is reached or the time is over; return what was last in the way."""
    loop, knock = asyncio.get_running_loop(), knocker(PrivateKey.generate())
    end = loop.time() + patience_seconds
    while problem := await knock(enode):
        if loop.time() + _PAUSE_SECONDS > end:
            break
        await asyncio.sleep(_PAUSE_SECONDS)
    return problem


def main() -> None:
    """Dial the node that the command line names."""
    try:
        enode = Enode.parse(sys.argv[1] if len(sys.argv) == 2 else "")
    except EnodeError as error:
        print(f"usage: python -m statusfleet.canary.knock ENODE: {error}")  # noqa: T201
        sys.exit(_UNUSABLE)
    if problem := asyncio.run(knock_on(enode)):
        print(problem)  # noqa: T201 - its whole output
        sys.exit(NOT_REACHED)


if __name__ == "__main__":
    main()
