"""Addresses of hosts by name, as this machine finds them: /etc/hosts, search domains and all.

The system's resolver blocks a thread for as long as it likes (with glibc five seconds a server and
attempt), and cannot be told to stop. Its threads are few and do nothing else: while a resolver does
not answer, look-ups wait for look-ups, and nothing else waits for them.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

MOST_AT_ONCE: Final = 16
"""Look-ups under way at a time in one process."""
_ABSENT: Final = frozenset((socket.EAI_NONAME, socket.EAI_NODATA))
_threads: Final = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="look up")
"""Starts a thread when one is needed; they end with the process."""


async def host_addresses(host: str) -> tuple[str, ...]:
    """Return the IP addresses of a host, in the order of the system's resolver, each once.

    May take long: whoever has no time for that ends it with a timeout. One that still waits for its
    turn is then not made at all. For an address nobody is asked.

    Raises:
        socket.gaierror: the name has no address, or it cannot be told now.
    """
    with suppress(ValueError):
        return (str(ipaddress.ip_address(host)),)
    found = await asyncio.get_running_loop().run_in_executor(_threads, _found, host)
    return tuple(dict.fromkeys(found))


def is_absent(error: OSError) -> bool:
    """Tell whether a look-up ended with the word that there is no address, not with trouble."""
    return isinstance(error, socket.gaierror) and error.errno in _ABSENT


def _found(host: str) -> list[str]:
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, "it is no host's name") from error
    return [str(address[0]) for *_, address in answers]
