"""Node records (EIP-778, identity scheme "v4"): signed, versioned addresses of a node.

A record on the wire is `[signature, seq, key, value, …]` in RLP, with sorted unique keys, at most
300 bytes; its text is `enr:` and base64url. Values may be any RLP item and are kept raw, so that a
record with entries of other protocols is written exactly as it came. A port of 0 means "none":
some programs write it.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypedDict, Unpack

from statusnode.codec import rlp
from statusnode.codec.base import BaseEncodingError, base64url_decode, base64url_encode
from statusnode.crypto.keccak import keccak256
from statusnode.crypto.keys import KeyFormatError, PrivateKey, PublicKey, verify
from statusnode.records.enode import MAX_PORT, Enode

PREFIX: Final = "enr:"
MAX_SIZE: Final = 300
MAX_SEQ: Final = 2**64 - 1
_MAX_TEXT_SIZE: Final = len(PREFIX) + MAX_SIZE * 4 // 3
_SCHEME: Final = b"v4"
_SIGNATURE_SIZE: Final = 64
_OWN_KEYS: Final = frozenset((b"id", b"secp256k1", b"ip", b"ip6", b"tcp", b"tcp6", b"udp", b"udp6"))


class RecordError(ValueError):
    """Bytes or text that are no valid signed node record."""


class Said(TypedDict, total=False):
    """What a record says besides whose it is; what is None or 0 is left out."""

    ip: str | None
    tcp: int | None
    udp: int | None
    ip6: str | None
    tcp6: int | None
    udp6: int | None
    extra: Mapping[str, rlp.Encodable] | None


@dataclass(frozen=True, slots=True)
class Record:
    """A record whose signature holds; there is no other way to get one than these classmethods.

    `pairs` are keys and raw RLP values in the order of the keys; `signature` is r‖s.
    """

    seq: int
    pairs: tuple[tuple[bytes, bytes], ...]
    signature: bytes
    public_key: PublicKey = field(compare=False)

    @classmethod
    def sign(cls, key: PrivateKey, seq: int, **said: Unpack[Said]) -> Record:
        """Make a record of the node that owns `key`.

        Raises:
            RecordError: a number or an address is out of range, `extra` claims a key of the
                scheme's own, or the record is larger than 300 bytes.
        """
        if not 0 <= seq <= MAX_SEQ:
            raise RecordError(f"a sequence number of {seq}")
        pairs = record_pairs(key.public_key, **said)
        content = _content(seq, pairs)
        signature = key.sign(keccak256(rlp.encode_list(content)))[:_SIGNATURE_SIZE]
        record = cls(seq, pairs, signature, key.public_key)
        if len(record.encode()) > MAX_SIZE:
            raise RecordError(f"a record of {len(record.encode())} bytes; {MAX_SIZE} are allowed")
        return record

    @classmethod
    def decode(cls, data: bytes) -> Record:
        """Read a record from RLP and check its signature.

        Raises:
            RecordError: too large, not canonical, keys out of order, unknown identity scheme,
                a malformed address, or a signature that does not hold.
        """
        if len(data) > MAX_SIZE:
            raise RecordError(f"a record of {len(data)} bytes; {MAX_SIZE} are allowed")
        try:
            items = rlp.split_list(bytes(data))
            if len(items) < 2 or len(items) % 2:
                raise RecordError("a record is a signature, a number, and pairs")
            signature = rlp.as_bytes(rlp.decode(items[0]))
            seq = rlp.as_uint(rlp.decode(items[1]))
            keys = [rlp.as_bytes(rlp.decode(item)) for item in items[2::2]]
            values = {name: rlp.decode(raw) for name, raw in zip(keys, items[3::2], strict=True)}
        except rlp.RLPError as error:
            raise RecordError(f"a record is canonical RLP: {error}") from error
        if any(first >= second for first, second in itertools.pairwise(keys)):
            raise RecordError("the keys of a record are sorted and unique")
        public_key = _check_entries(values)
        if not verify(keccak256(rlp.encode_list(items[1:])), signature, public_key):
            raise RecordError("the signature of the record does not hold")
        return cls(seq, tuple(zip(keys, items[3::2], strict=True)), signature, public_key)

    @classmethod
    def parse(cls, text: str) -> Record:
        """Read the text form `enr:…`.

        Raises:
            RecordError: as `decode`, or the text is no such text.
        """
        text = text.strip()
        if not text.startswith(PREFIX):
            raise RecordError(f'the text of a record begins with "{PREFIX}"')
        if len(text) > _MAX_TEXT_SIZE:
            raise RecordError(f"a record text of {len(text)} characters")
        try:
            return cls.decode(base64url_decode(text[len(PREFIX) :]))
        except BaseEncodingError as error:
            raise RecordError(str(error)) from error

    def encode(self) -> bytes:
        """The record as RLP."""
        return rlp.encode_list([rlp.encode(self.signature), *_content(self.seq, self.pairs)])

    def __str__(self) -> str:
        """The text form `enr:…`."""
        return PREFIX + base64url_encode(self.encode())

    def raw(self, key: str) -> bytes | None:
        """The RLP of an entry, or None where the record lacks it."""
        name = key.encode()
        return next((value for known, value in self.pairs if known == name), None)

    @property
    def node_id(self) -> bytes:
        """The node id: keccak256 of the public key, 32 bytes."""
        return self.public_key.node_id

    @property
    def ip(self) -> str | None:
        """The IPv4 address."""
        data = self._bytes("ip")
        return str(ipaddress.IPv4Address(data)) if data else None

    @property
    def ip6(self) -> str | None:
        """The IPv6 address."""
        data = self._bytes("ip6")
        return str(ipaddress.IPv6Address(data)) if data else None

    @property
    def tcp(self) -> int | None:
        """The TCP port, of both addresses unless `tcp6` is there."""
        return int.from_bytes(self._bytes("tcp"), "big") or None

    @property
    def tcp6(self) -> int | None:
        """The TCP port of the IPv6 address where it differs."""
        return int.from_bytes(self._bytes("tcp6"), "big") or None

    @property
    def udp(self) -> int | None:
        """The UDP port, of both addresses unless `udp6` is there."""
        return int.from_bytes(self._bytes("udp"), "big") or None

    @property
    def udp6(self) -> int | None:
        """The UDP port of the IPv6 address where it differs."""
        return int.from_bytes(self._bytes("udp6"), "big") or None

    def enode(self) -> Enode:
        """The same node as an enode: its IPv4 address if it has one, else IPv6, else none."""
        return next(iter(self.enodes()), Enode(self.public_key))

    def enodes(self) -> tuple[Enode, ...]:
        """The same node as an enode for each of its addresses: IPv4, then IPv6."""
        found: list[Enode] = []
        if self.ip is not None:
            found.append(Enode(self.public_key, self.ip, self.tcp or 0, self.udp or 0))
        if self.ip6 is not None:
            tcp, udp = self.tcp6 or self.tcp, self.udp6 or self.udp
            found.append(Enode(self.public_key, self.ip6, tcp or 0, udp or 0))
        return tuple(found)

    def _bytes(self, key: str) -> bytes:
        raw = self.raw(key)
        return b"" if raw is None else rlp.as_bytes(rlp.decode(raw))


def record_pairs(public_key: PublicKey, **said: Unpack[Said]) -> tuple[tuple[bytes, bytes], ...]:
    """Return the `pairs` of the record that `sign` makes: to compare before anything is signed.

    Raises:
        RecordError: a port or an address is out of range, or `extra` claims a key of the scheme's
            own.
    """
    values: dict[bytes, rlp.Encodable] = {b"id": _SCHEME, b"secp256k1": public_key.compressed}
    ip, ip6 = said.get("ip"), said.get("ip6")
    try:
        if ip is not None:
            values[b"ip"] = ipaddress.IPv4Address(ip).packed
        if ip6 is not None:
            values[b"ip6"] = ipaddress.IPv6Address(ip6).packed
    except ipaddress.AddressValueError as error:
        raise RecordError(f"no address of a record: {error}") from error
    ports = {
        b"tcp": said.get("tcp"),
        b"udp": said.get("udp"),
        b"tcp6": said.get("tcp6"),
        b"udp6": said.get("udp6"),
    }
    for name, port in ports.items():
        if port:
            if not 0 < port <= MAX_PORT:
                raise RecordError(f"{name.decode()} port {port} is out of range")
            values[name] = port
    for text, value in (said.get("extra") or {}).items():
        if text.encode() in _OWN_KEYS:
            raise RecordError(f'"{text}" belongs to the record itself')
        values[text.encode()] = value
    return tuple((name, rlp.encode(values[name])) for name in sorted(values))


def _content(seq: int, pairs: tuple[tuple[bytes, bytes], ...]) -> list[bytes]:
    """The items that are signed: the number, then keys and values."""
    items = [rlp.encode(seq)]
    for name, value in pairs:
        items += (rlp.encode(name), value)
    return items


def _check_entries(values: Mapping[bytes, rlp.Decoded]) -> PublicKey:
    """Check the shape of every entry that this program reads; return the key of the node."""
    scheme = values.get(b"id")
    if scheme != _SCHEME:
        raise RecordError(f"the identity scheme is {scheme!r}; only v4 is known")
    try:
        for name, size in ((b"ip", 4), (b"ip6", 16)):
            if values.get(name, b"") != b"":
                rlp.as_bytes(values[name], size)
        for name in (b"tcp", b"udp", b"tcp6", b"udp6"):
            rlp.as_uint(values.get(name, b""), 16)
        return PublicKey.from_point(rlp.as_bytes(values.get(b"secp256k1", b""), 33))
    except (rlp.RLPError, KeyFormatError) as error:
        raise RecordError(f"an entry of the record is malformed: {error}") from error
