"""Enode URLs: `enode://KEY@HOST:TCP[?discport=UDP]`, read and written as go-ethereum does.

The short form `enode://KEY` (or the bare key) names a node without an address. A host is an IP
address or a DNS name; nothing is ever resolved here. Source: go-ethereum `p2p/enode` (urlv4).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from statusnode.crypto.keys import KeyFormatError, PublicKey

MAX_PORT: Final = 0xFFFF
_SCHEME: Final = "enode://"
_MAX_SIZE: Final = 1024
_KEY: Final = re.compile(r"[0-9a-fA-F]{128}")
_ADDRESS: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*):(?P<port>[0-9]{1,5})", re.ASCII)
_NAME: Final = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*"
    r"(?=[a-z0-9-]*[a-z])[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.?",
    re.ASCII | re.IGNORECASE,
)
_MAX_NAME_SIZE: Final = 253


class EnodeError(ValueError):
    """Text that is no enode URL."""


@dataclass(frozen=True, slots=True)
class Enode:
    """A node and its address; `host` is "" and the ports 0 where the address is not known."""

    public_key: PublicKey
    host: str = ""
    tcp: int = 0
    udp: int = 0

    @classmethod
    def parse(cls, text: str) -> Enode:
        """Read an enode URL; without `discport`, the UDP port is the TCP port.

        Raises:
            EnodeError: the text is none; the message says which part is wrong.
        """
        text = text.strip()
        if len(text) > _MAX_SIZE:
            raise EnodeError(f"an enode URL of {len(text)} characters")
        has_scheme = text[: len(_SCHEME)].lower() == _SCHEME
        key_text, at, rest = (text[len(_SCHEME) :] if has_scheme else text).partition("@")
        if at and not has_scheme:
            raise EnodeError('an enode URL begins with "enode://"')
        key = _parse_key(key_text)
        if not at:
            return cls(key)
        address, _, query = rest.partition("?")
        match = _ADDRESS.fullmatch(address.removesuffix("/"))
        if match is None:
            raise EnodeError(f'"{address}" is not of the form HOST:PORT')
        tcp = _parse_port(match["port"])
        ports = parse_qs(query, keep_blank_values=False).get("discport")
        udp = tcp if ports is None else _parse_port(ports[0])
        return cls(key, _parse_host(match["host"]), tcp, udp)

    @property
    def node_id(self) -> bytes:
        """The node id: keccak256 of the public key, 32 bytes."""
        return self.public_key.node_id

    def __str__(self) -> str:
        """The URL; `discport` is written only where it differs from the TCP port."""
        key = self.public_key.data.hex()
        if not self.host:
            return f"{_SCHEME}{key}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        query = "" if self.udp == self.tcp else f"?discport={self.udp}"
        return f"{_SCHEME}{key}@{host}:{self.tcp}{query}"


def _parse_key(text: str) -> PublicKey:
    if not _KEY.fullmatch(text):
        raise EnodeError(f"the key of an enode URL has 128 hex digits, not {len(text)} characters")
    try:
        return PublicKey(bytes.fromhex(text))
    except KeyFormatError as error:
        raise EnodeError(str(error)) from error


def _parse_port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:6]) <= MAX_PORT):
        raise EnodeError(f'"{text}" is no port (0 to {MAX_PORT})')
    return int(text)


def _parse_host(text: str) -> str:
    bare = text[1:-1] if text.startswith("[") else text
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        if bare != text or len(text) > _MAX_NAME_SIZE or not _NAME.fullmatch(text):
            raise EnodeError(f'"{text}" is no IP address and no DNS name') from None
        return text
    if isinstance(address, ipaddress.IPv6Address):
        if bare == text or address.scope_id is not None:
            raise EnodeError(f'"{text}" must be an IPv6 address in brackets, without a zone')
        return str(address.ipv4_mapped or address)
    if bare != text:
        raise EnodeError(f'"{text}": brackets are for IPv6 addresses')
    return str(address)
