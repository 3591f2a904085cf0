"""The signed record of a member (EIP-778): a new one only when what it says has changed.

The operator signs, since a node does not know the address at which the world reaches it. The
sequence number grows by one with every change and never falls, so that whoever holds an older
record takes the newer one.
"""

from __future__ import annotations

import ipaddress

from statusfleet.plan.types import Endpoint
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record, Said, record_pairs


def member_record(key: PrivateKey, address: Endpoint, previous: Record | None) -> Record:
    """Return `previous` where it still holds for key and address, else a new record.

    Raises:
        ValueError: the address's host is no IP address, or no record can hold it.
    """
    said = _said(address)
    if previous is None:
        return Record.sign(key, 1, **said)
    if previous.pairs == record_pairs(key.public_key, **said):
        return previous
    return Record.sign(key, previous.seq + 1, **said)


def _said(address: Endpoint) -> Said:
    """Return what a record says of an address.

    Ports stand in `tcp` and `udp` also of IPv6 alone: these hold for both families, and most nodes
    out there, such as status-go's, look nowhere else.
    """
    host6 = address.host6 or None
    if isinstance(ipaddress.ip_address(address.host), ipaddress.IPv6Address):
        return {"ip6": address.host, "tcp": address.tcp, "udp": address.udp}
    return {"ip": address.host, "ip6": host6, "tcp": address.tcp, "udp": address.udp}
