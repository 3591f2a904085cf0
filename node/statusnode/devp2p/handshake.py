"""The RLPx encryption handshake: two packets, after which both sides hold the session's secrets.

Both forms are spoken: the sized packets of EIP-8, which we send, and the plain ones of before,
which a responder still accepts and answers in kind. No I/O happens here: `Initiator` and
`Responder` are fed bytes and tell what to write. Sources: RLPx ("Initial Handshake"), EIP-8.

The reader tries the plain form on the first 307 (auth) or 210 (ack) bytes, so a sized packet
cannot be shorter than that; this is what EIP-8 asks for and what every peer does.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from statusnode.codec import rlp
from statusnode.crypto import ecies
from statusnode.crypto.keccak import KeccakState, keccak256, keccak_state
from statusnode.crypto.keys import (
    PUBLIC_KEY_SIZE,
    SIGNATURE_SIZE,
    KeyFormatError,
    PrivateKey,
    PublicKey,
    recover,
)

HANDSHAKE_VERSION: Final = 4
NONCE_SIZE: Final = 32
_HASH_SIZE: Final = 32
_SIZE_PREFIX: Final = 2
_MIN_PADDING: Final = 100
_MAX_PADDING: Final = 299

_PLAIN_AUTH: Final = SIGNATURE_SIZE + _HASH_SIZE + PUBLIC_KEY_SIZE + NONCE_SIZE + 1
_PLAIN_ACK: Final = PUBLIC_KEY_SIZE + NONCE_SIZE + 1
AUTH_SIZE: Final = _PLAIN_AUTH + ecies.OVERHEAD
"""Size of a plain auth packet, 307 bytes, and the least size of an EIP-8 body."""
ACK_SIZE: Final = _PLAIN_ACK + ecies.OVERHEAD
"""Size of a plain ack packet, 210 bytes."""


class HandshakeError(Exception):
    """The peer did not shake hands as RLPx says; the connection just closes."""


@dataclass(frozen=True, slots=True)
class Ephemeral:
    """What one side draws anew for each handshake; tests give it, everybody else draws it."""

    key: PrivateKey
    nonce: bytes

    @classmethod
    def generate(cls) -> Ephemeral:
        """Draw a key and a nonce from the system's randomness."""
        return cls(PrivateKey.generate(), secrets.token_bytes(NONCE_SIZE))


@dataclass(frozen=True, slots=True)
class Secrets:
    """What both sides know after the handshake, from the local point of view."""

    remote_key: PublicKey
    aes: bytes
    mac: bytes
    egress: KeccakState
    ingress: KeccakState


class _Reader:
    """Collects one handshake packet, of either form, and opens it."""

    def __init__(self, key: PrivateKey, plain_size: int) -> None:
        self._key = key
        self._plain_size = plain_size
        self._data = bytearray()
        self._needed = plain_size
        self._sized = False

    def feed(self, data: bytes) -> tuple[bytes, bytes, bool] | None:
        """Take bytes; return the packet, its content and whether it was sized, once complete.

        Raises:
            HandshakeError: the packet cannot be opened with our key.
        """
        self._data += data
        if len(self._data) < self._needed:
            return None
        if not self._sized:
            packet = bytes(self._data[: self._plain_size])
            try:
                return packet, ecies.decrypt(packet, self._key), False
            except ecies.DecryptionError:
                self._expect_sized(packet)
            if len(self._data) < self._needed:
                return None
        packet = bytes(self._data[: self._needed])
        try:
            content = ecies.decrypt(packet[_SIZE_PREFIX:], self._key, packet[:_SIZE_PREFIX])
        except ecies.DecryptionError as error:
            raise HandshakeError(f"the packet cannot be opened: {error}") from error
        return packet, content, True

    def _expect_sized(self, packet: bytes) -> None:
        size = int.from_bytes(packet[:_SIZE_PREFIX], "big")
        if size < self._plain_size:
            raise HandshakeError(
                f"a packet of {size} bytes, where {self._plain_size} are the least"
            )
        self._sized = True
        self._needed = size + _SIZE_PREFIX

    @property
    def rest(self) -> bytes:
        """What came behind the packet: it belongs to the frames."""
        return bytes(self._data[self._needed :])


class Initiator:
    """The dialing side, which knows whom it calls."""

    def __init__(
        self, key: PrivateKey, remote_key: PublicKey, ephemeral: Ephemeral | None = None
    ) -> None:
        self._remote_key = remote_key
        self._own = ephemeral or Ephemeral.generate()
        self._reader = _Reader(key, ACK_SIZE)
        token = _xor(key.shared_secret(remote_key), self._own.nonce)
        body = rlp.encode(
            [self._own.key.sign(token), key.public_key.data, self._own.nonce, HANDSHAKE_VERSION]
        )
        self.auth: Final = _seal(body, remote_key)
        """The packet to write first."""

    def feed(self, data: bytes) -> Secrets | None:
        """Take bytes of the ack; return the secrets once it is complete.

        Raises:
            HandshakeError: the ack is not one, or not for us.
        """
        opened = self._reader.feed(data)
        if opened is None:
            return None
        packet, content, sized = opened
        point, nonce = _read_ack(content, sized=sized)
        return _derive(
            self._remote_key,
            ephemeral_secret=self._own.key.shared_secret(point),
            own=(self._own.nonce, self.auth),
            theirs=(nonce, packet),
            responder_nonce=nonce,
            initiator_nonce=self._own.nonce,
        )

    @property
    def rest(self) -> bytes:
        """Bytes that were fed but belong to the frames."""
        return self._reader.rest


class Responder:
    """The listening side, which learns from the auth who calls."""

    def __init__(self, key: PrivateKey, ephemeral: Ephemeral | None = None) -> None:
        self._key = key
        self._ephemeral = ephemeral
        self._reader = _Reader(key, AUTH_SIZE)
        self.ack = b""
        """The packet to write, in the form of the auth; empty until that is complete."""

    def feed(self, data: bytes) -> Secrets | None:
        """Take bytes of the auth; return the secrets once it is complete.

        Raises:
            HandshakeError: the auth is not one, not for us, or its signature is no signature.
        """
        opened = self._reader.feed(data)
        if opened is None:
            return None
        packet, content, sized = opened
        signature, remote_key, nonce = _read_auth(content, sized=sized)
        token = _xor(self._key.shared_secret(remote_key), nonce)
        try:
            point = recover(token, signature)
        except KeyFormatError as error:
            raise HandshakeError(f"the signature of the auth: {error}") from error
        own = self._ephemeral or Ephemeral.generate()
        public = own.key.public_key.data
        if sized:
            self.ack = _seal(rlp.encode([public, own.nonce, HANDSHAKE_VERSION]), remote_key)
        else:
            self.ack = ecies.encrypt(public + own.nonce + b"\0", remote_key)
        return _derive(
            remote_key,
            ephemeral_secret=own.key.shared_secret(point),
            own=(own.nonce, self.ack),
            theirs=(nonce, packet),
            responder_nonce=own.nonce,
            initiator_nonce=nonce,
        )

    @property
    def rest(self) -> bytes:
        """Bytes that were fed but belong to the frames."""
        return self._reader.rest


def _read_auth(content: bytes, *, sized: bool) -> tuple[bytes, PublicKey, bytes]:
    """Return the signature, the caller's static key and its nonce."""
    if sized:
        items = _first_list(content, 4)
        signature = _field(items[0], SIGNATURE_SIZE, "signature")
        key = _field(items[1], PUBLIC_KEY_SIZE, "static key")
        nonce = _field(items[2], NONCE_SIZE, "nonce")
    else:
        signature = content[:SIGNATURE_SIZE]
        start = SIGNATURE_SIZE + _HASH_SIZE  # a hash of the ephemeral key, which tells nothing new
        key = content[start : start + PUBLIC_KEY_SIZE]
        start += PUBLIC_KEY_SIZE
        nonce = content[start : start + NONCE_SIZE]
    return signature, _point(key, "static key"), nonce


def _read_ack(content: bytes, *, sized: bool) -> tuple[PublicKey, bytes]:
    """Return the responder's ephemeral key and its nonce."""
    if sized:
        items = _first_list(content, 3)
        key = _field(items[0], PUBLIC_KEY_SIZE, "ephemeral key")
        nonce = _field(items[1], NONCE_SIZE, "nonce")
    else:
        key = content[:PUBLIC_KEY_SIZE]
        nonce = content[PUBLIC_KEY_SIZE : PUBLIC_KEY_SIZE + NONCE_SIZE]
    return _point(key, "ephemeral key"), nonce


def _first_list(content: bytes, least: int) -> list[rlp.Decoded]:
    """Decode the leading list; EIP-8 allows more items than we know, and bytes behind it."""
    try:
        items = rlp.as_list(rlp.decode_prefix(content)[0])
        if len(items) >= least:
            rlp.as_uint(items[least - 1])  # the version: any number will do
    except rlp.RLPError as error:
        raise HandshakeError(f"the content of the packet: {error}") from error
    if len(items) < least:
        raise HandshakeError(f"{len(items)} items in the packet, where {least} are the least")
    return items


def _field(item: rlp.Decoded, size: int, name: str) -> bytes:
    try:
        return rlp.as_bytes(item, size)
    except rlp.RLPError as error:
        raise HandshakeError(f"the {name}: {error}") from error


def _point(data: bytes, name: str) -> PublicKey:
    try:
        return PublicKey(data)
    except KeyFormatError as error:
        raise HandshakeError(f"the {name}: {error}") from error


def _seal(body: bytes, recipient: PublicKey) -> bytes:
    """Make an EIP-8 packet. The random padding also keeps it longer than any plain one."""
    padding = _MIN_PADDING + secrets.randbelow(_MAX_PADDING - _MIN_PADDING + 1)
    size = len(body) + padding + ecies.OVERHEAD
    prefix = size.to_bytes(_SIZE_PREFIX, "big")
    return prefix + ecies.encrypt(body + bytes(padding), recipient, prefix)


def _derive(
    remote_key: PublicKey,
    *,
    ephemeral_secret: bytes,
    own: tuple[bytes, bytes],
    theirs: tuple[bytes, bytes],
    responder_nonce: bytes,
    initiator_nonce: bytes,
) -> Secrets:
    """Derive the session's secrets; `own` and `theirs` are nonce and packet of each side."""
    shared = keccak256(ephemeral_secret + keccak256(responder_nonce + initiator_nonce))
    aes = keccak256(ephemeral_secret + shared)
    mac = keccak256(ephemeral_secret + aes)
    own_nonce, own_packet = own
    their_nonce, their_packet = theirs
    return Secrets(
        remote_key,
        aes,
        mac,
        egress=keccak_state(_xor(mac, their_nonce) + own_packet),
        ingress=keccak_state(_xor(mac, own_nonce) + their_packet),
    )


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
