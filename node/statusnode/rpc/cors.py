"""Which web pages may call: the Host header and Cross-Origin Resource Sharing (Fetch, "CORS").

A page of another site that a browser shows must not reach a node on the same machine. The Host
check stops it from doing so under a name of its own (DNS rebinding); CORS headers tell the browser
which origins may read answers. Behaviour and headers are go-ethereum's. Pure: headers in, verdict
out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_METHODS: Final = frozenset({"GET", "POST"})
_MAX_AGE_SECONDS: Final = 600
_PREFLIGHT_VARY: Final = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


def host_allowed(host: str, virtual_hosts: frozenset[str]) -> bool:
    """Judge a Host header: an IP address always passes, a name when it is listed, or `*` is."""
    if not host:
        return True
    name = _without_port(host)
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in virtual_hosts or "*" in virtual_hosts
    return True


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, colon, _ = host.rpartition(":")
    return name if colon and ":" not in name else host


@dataclass(frozen=True, slots=True)
class CorsPolicy:
    """The origins that may read answers: exact ones, with one `*` inside, or `*` for all."""

    origins: frozenset[str]

    def allows(self, origin: str) -> bool:
        """Tell whether pages of `origin` may read answers."""
        origin = origin.lower()
        return any(_matches(pattern.lower(), origin) for pattern in self.origins)

    def is_preflight(self, method: str, headers: Mapping[str, str]) -> bool:
        """Tell whether a browser asks beforehand; such a request is answered by headers alone."""
        return method == "OPTIONS" and "Access-Control-Request-Method" in headers

    def preflight_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """What a preflight request is answered with."""
        answer = {"Vary": _PREFLIGHT_VARY}
        origin = headers.get("Origin", "")
        wanted = headers.get("Access-Control-Request-Method", "").upper()
        if origin and self.allows(origin) and wanted in _METHODS:
            answer["Access-Control-Allow-Origin"] = self._allowed_origin(origin)
            answer["Access-Control-Allow-Methods"] = wanted
            if wanted_headers := headers.get("Access-Control-Request-Headers"):
                answer["Access-Control-Allow-Headers"] = wanted_headers
            answer["Access-Control-Max-Age"] = str(_MAX_AGE_SECONDS)
        return answer

    def headers(self, method: str, headers: Mapping[str, str]) -> dict[str, str]:
        """What any other answer carries."""
        if not self.origins or method == "OPTIONS":
            return {}
        answer = {"Vary": "Origin"}
        origin = headers.get("Origin", "")
        if origin and self.allows(origin) and method in _METHODS:
            answer["Access-Control-Allow-Origin"] = self._allowed_origin(origin)
        return answer

    def _allowed_origin(self, origin: str) -> str:
        return "*" if "*" in self.origins else origin


def _matches(pattern: str, origin: str) -> bool:
    prefix, star, suffix = pattern.partition("*")
    if not star:
        return pattern == origin
    long_enough = len(origin) >= len(prefix) + len(suffix)
    return long_enough and origin.startswith(prefix) and origin.endswith(suffix)
