"""IP addresses of peers: one way to write each, and which of them are local."""

from __future__ import annotations

import ipaddress
from typing import Final, TypeAlias

Address: TypeAlias = tuple[str, int]
"""An IP address and a port."""

_LOCAL: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "127.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "::1/128",
            "fc00::/7",
            "fe80::/10",
        ),
    )
)


def normalise(host: str) -> str:
    """Return an IP address in its shortest form, mapped IPv4 as IPv4; other text as it is."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def is_local(host: str) -> bool:
    """Tell whether an address is of a local network, which no throttle applies to.

    Shared address space (100.64.0.0/10) is not local, as in the reference.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _LOCAL)
