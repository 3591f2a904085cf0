"""How callers name other nodes, and how answers show addresses."""

from __future__ import annotations

from statusnode.records.enode import Enode, EnodeError
from statusnode.records.enr import PREFIX, Record

_SCHEME = "enode://"


def parse_node(text: str) -> Enode:
    """Read an enode URL or a node record.

    Raises:
        EnodeError, RecordError: it is neither.
    """
    if text.startswith(_SCHEME):
        return Enode.parse(text)
    if not text.startswith(PREFIX):
        raise EnodeError("missing 'enr:' prefix for base64-encoded record")
    return Record.parse(text).enode()


def parse_enode(text: str) -> Enode:
    """Read an enode URL, the only form that some methods take.

    Raises:
        EnodeError: it is none.
    """
    if not text.startswith(_SCHEME):
        raise EnodeError('invalid URL scheme, want "enode"')
    return Enode.parse(text)


def host_and_port(address: tuple[str, int]) -> str:
    """Write an address as Go does, IPv6 in brackets."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
