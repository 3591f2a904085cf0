"""TXT look-ups over dnspython, at the system's servers or at one that is named."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver

_PAYLOAD: Final = 1232


class ResolutionError(Exception):
    """A name has no TXT record, or nobody answered for it."""


class TextResolver(Protocol):
    """Whatever can look up TXT records."""

    async def texts(self, name: str) -> list[str]:
        """Return the content of each TXT record of `name`, its strings joined.

        Raises:
            ResolutionError: there is none; the message says why, without the name.
        """


class DnsResolver:
    """Ask over UDP, then over TCP where an answer does not fit."""

    def __init__(self, server: tuple[str, int] | None = None, timeout_seconds: float = 5) -> None:
        """Ask `server` (IP address and port) alone, or the servers of the system.

        `timeout_seconds` bounds a whole look-up, with its repetitions.

        Raises:
            ResolutionError: the system's configuration names no server.
        """
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=server is None)
        except dns.resolver.NoResolverConfiguration as error:
            raise ResolutionError("this system names no DNS server; name one") from error
        if server is not None:
            host, self._resolver.port = server
            self._resolver.nameservers = [host]
        self._resolver.use_edns(0, 0, _PAYLOAD)
        self._resolver.timeout = timeout_seconds / 3
        self._resolver.lifetime = timeout_seconds

    async def texts(self, name: str) -> list[str]:
        """Return the content of each TXT record of `name`, its strings joined.

        Raises:
            ResolutionError: there is none; the message says why, without the name.
        """
        try:
            answer = await self._resolver.resolve(dns.name.from_text(name), "TXT", search=False)
        except dns.resolver.NXDOMAIN as error:
            raise ResolutionError("there is no such name") from error
        except dns.resolver.NoAnswer as error:
            raise ResolutionError("the name has no TXT record") from error
        except dns.resolver.LifetimeTimeout as error:
            raise ResolutionError("no DNS server answered in time") from error
        except dns.resolver.NoNameservers as error:
            raise ResolutionError(f"no DNS server answers for it: {_last(error)}") from error
        except (dns.exception.DNSException, OSError, asyncio.IncompleteReadError) as error:
            raise ResolutionError(str(error) or type(error).__name__) from error
        return [b"".join(data.strings).decode("ascii", "replace") for data in answer]


def _last(error: dns.resolver.NoNameservers) -> str:
    """What the last server that was asked said."""
    attempts = error.kwargs.get("errors") or []
    return str(attempts[-1][3]) if attempts else "none was asked"
