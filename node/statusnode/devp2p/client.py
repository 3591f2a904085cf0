"""One outbound session without a server: for probes and for clients that ask one node something."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.capabilities import Offer
from statusnode.devp2p.connection import Connection
from statusnode.devp2p.counters import Counters
from statusnode.devp2p.events import Ended
from statusnode.devp2p.limits import Limits
from statusnode.devp2p.messages import known_reason
from statusnode.devp2p.owner import Standing
from statusnode.devp2p.protocol import DisconnectReason, Subprotocol
from statusnode.devp2p.session import Session
from statusnode.records.enode import Enode

_DEFAULT_LIMITS: Final = Limits()


class DialError(Exception):
    """A node that could not be reached, or did not want us."""

    def __init__(self, message: str, reason: DisconnectReason | None = None) -> None:
        super().__init__(message)
        self.reason: Final = reason
        """The reason that the node gave, if it gave one."""


class _Owner:
    """Lets every session be."""

    def identified(self, connection: Connection) -> DisconnectReason | None:
        return None

    def introduced(self, connection: Connection) -> DisconnectReason | None:
        return None

    def opened(self, connection: Connection) -> None:
        pass

    def ended(self, connection: Connection, ending: Ended) -> None:
        pass

    def detached(self, connection: Connection) -> None:
        pass


async def dial(
    enode: Enode,
    key: PrivateKey,
    subprotocols: Sequence[Subprotocol],
    timeout: float,
    *,
    client_name: str = "Statusd/client",
    limits: Limits = _DEFAULT_LIMITS,
) -> Connection:
    """Open a session within `timeout` seconds; its subprotocols have started when this returns.

    Whoever dials also calls `disconnect` in the end. A name in the enode is looked up.

    Raises:
        DialError: there is no session; the message says what came in between.
    """

    def begin() -> Connection:
        """Prepare the handshake, for which there is no need where nobody listens."""
        return Connection(
            Session(
                key,
                client_name,
                [Offer(protocol.capability, protocol.length) for protocol in subprotocols],
                remote_key=enode.public_key,
            ),
            {protocol.capability: protocol for protocol in subprotocols},
            _Owner(),
            inbound=False,
            limits=limits,
            counters=Counters(),
            standing=Standing(static=True),
        )

    loop = asyncio.get_running_loop()
    connection: Connection | None = None
    try:
        async with asyncio.timeout(timeout):
            _, connection = await loop.create_connection(begin, enode.host, enode.tcp)
            await connection.settled.wait()
    except TimeoutError as error:
        if connection is not None:
            connection.abort("the dial took too long")
        raise DialError(f"no session with {enode} within {timeout:g} s") from error
    except (OSError, UnicodeError) as error:
        raise DialError(f"no connection to {enode}: {error}") from error
    except asyncio.CancelledError:
        if connection is not None:
            connection.abort("no longer wanted")
        raise
    ending = connection.ending
    if ending is not None:
        raise DialError(f"no session with {enode}: {ending.detail}", known_reason(ending.reason))
    return connection
