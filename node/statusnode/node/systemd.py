"""Tells systemd that the node has started, lives, and stops (sd_notify).

Where no supervisor asks for it, by `NOTIFY_SOCKET`, nothing happens.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import Final

_log: Final = logging.getLogger(__name__)
_WATCHDOG_SECONDS: Final = 30


def notify(state: str) -> bool:
    """Send one state, such as `READY=1`; tell whether there is somebody to hear it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as channel:
            channel.connect(address)
            channel.send(state.encode())
    except OSError as error:
        _log.warning("sd_notify failed", extra={"state": state, "err": error})
        return False
    return True


async def keep_alive() -> None:
    """Tell the watchdog twice a minute that the event loop turns; for ever."""
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(_WATCHDOG_SECONDS)
