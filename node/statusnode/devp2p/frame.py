"""RLPx frames: encryption, authentication and cutting of the byte stream after the handshake.

On the wire a frame is header (16) ‖ header tag (16) ‖ body (padded to 16) ‖ body tag (16); the
header holds the body's size in 3 bytes, the body begins with the RLP of the packet code. Nothing is
chunked. One AES-256-CTR key stream a direction runs over headers and bodies; tags come from a
running Keccak state. Source: RLPx ("Framing").

This is the hottest code of a node, so what it costs matters: each body is copied once by the
cipher, read in place by Keccak, and never touched byte by byte. The digest of one tag is the seed
of the next one, which saves a third of the Keccak finalisations. A frame that arrives in pieces is
joined once, when its last piece is there.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

if TYPE_CHECKING:
    from statusnode.devp2p.handshake import Secrets

MAX_FRAME_SIZE: Final = 0xFFFFFF
"""Most bytes of a body, as its size has 24 bits; also the limit of a decompressed payload."""
_BLOCK: Final = 16
_HEAD: Final = 2 * _BLOCK
_HEADER_DATA: Final = b"\xc2\x80\x80" + bytes(10)
_NO_BODY: Final = -1


class FrameError(Exception):
    """Bytes that are no frame of this session; the connection just closes."""


class FrameReader:
    """Opens the frames of one direction."""

    __slots__ = (
        "_body_size",
        "_buffer",
        "_chunk_bytes",
        "_chunks",
        "_decrypt",
        "_digest",
        "_encrypt_block",
        "_mac",
        "_position",
        "limit",
    )

    def __init__(self, secrets: Secrets) -> None:
        self.limit = MAX_FRAME_SIZE
        """Largest body that is read; a larger one is an error as soon as its header is there."""
        self._decrypt = _key_stream(secrets.aes)
        self._encrypt_block = _block_cipher(secrets.mac)
        self._mac = secrets.ingress
        self._digest = secrets.ingress.digest()[:_BLOCK]
        self._buffer = memoryview(b"")
        self._position = 0
        self._chunks: list[bytes] = []
        self._chunk_bytes = 0
        self._body_size = _NO_BODY

    def feed(self, data: bytes) -> None:
        """Take bytes from the wire; `data` must not change afterwards."""
        if not self._chunks and self._position == len(self._buffer):
            self._buffer = memoryview(data)
            self._position = 0
        else:
            self._chunks.append(data)
            self._chunk_bytes += len(data)

    def read(self) -> tuple[bytes, int] | None:
        """Return the next body and its size without padding, or None while it is not whole.

        Raises:
            FrameError: a tag is wrong or the body is larger than `limit`.
        """
        size = self._body_size
        if size == _NO_BODY:
            if not self._has(_HEAD):
                return None
            size = self._read_header()
        padded = (size + _BLOCK - 1) & -_BLOCK
        if not self._has(padded + _BLOCK):
            return None
        start = self._position
        end = start + padded
        buffer = self._buffer
        body = buffer[start:end]
        mac = self._mac
        mac.update(body)
        seed = mac.digest()[:_BLOCK]
        mac.update(_xor(self._encrypt_block(seed), seed))
        self._digest = tag = mac.digest()[:_BLOCK]
        if not hmac.compare_digest(tag, buffer[end : end + _BLOCK]):
            raise FrameError("the tag of a frame's body is wrong")
        self._position = end + _BLOCK
        self._body_size = _NO_BODY
        return self._decrypt(body), size

    def _read_header(self) -> int:
        start = self._position
        middle = start + _BLOCK
        end = start + _HEAD
        header = self._buffer[start:middle]
        self._mac.update(_xor(self._encrypt_block(self._digest), header))
        self._digest = tag = self._mac.digest()[:_BLOCK]
        if not hmac.compare_digest(tag, self._buffer[middle:end]):
            raise FrameError("the tag of a frame's header is wrong")
        size = int.from_bytes(self._decrypt(header)[:3], "big")
        if size > self.limit:
            raise FrameError(f"a frame of {size} bytes, where {self.limit} are most")
        self._position = end
        self._body_size = size
        return size

    def _has(self, needed: int) -> bool:
        """Tell whether `needed` bytes lie in one piece; joins the pieces once they suffice."""
        held = len(self._buffer) - self._position
        if held >= needed:
            return True
        if held + self._chunk_bytes < needed:
            return False
        self._buffer = memoryview(b"".join((self._buffer[self._position :], *self._chunks)))
        self._position = 0
        self._chunks.clear()
        self._chunk_bytes = 0
        return True


class FrameWriter:
    """Seals the frames of one direction."""

    __slots__ = ("_digest", "_encrypt", "_encrypt_block", "_mac")

    def __init__(self, secrets: Secrets) -> None:
        self._encrypt = _key_stream(secrets.aes)
        self._encrypt_block = _block_cipher(secrets.mac)
        self._mac = secrets.egress
        self._digest = secrets.egress.digest()[:_BLOCK]

    def seal(self, code: bytes, payload: bytes) -> tuple[memoryview, bytes, memoryview, bytes]:
        """Return the pieces of a frame, in order; `code` is RLP already.

        Raises:
            FrameError: the frame would be larger than its size field can say.
        """
        size = len(code) + len(payload)
        if size > MAX_FRAME_SIZE:
            raise FrameError(f"a frame of {size} bytes, where {MAX_FRAME_SIZE} are most")
        padding = bytes(-size % _BLOCK)
        plain = b"".join((size.to_bytes(3, "big"), _HEADER_DATA, code, payload, padding))
        sealed = memoryview(self._encrypt(plain))
        header, body = sealed[:_BLOCK], sealed[_BLOCK:]
        mac = self._mac
        mac.update(_xor(self._encrypt_block(self._digest), header))
        header_tag = mac.digest()[:_BLOCK]
        mac.update(body)
        seed = mac.digest()[:_BLOCK]
        mac.update(_xor(self._encrypt_block(seed), seed))
        self._digest = body_tag = mac.digest()[:_BLOCK]
        return header, header_tag, body, body_tag


def _key_stream(key: bytes) -> Callable[[bytes | memoryview], bytes]:
    """AES-256-CTR from a zero IV; to encrypt and to decrypt are one operation.

    The IV may be zero because the key serves a single session, in which both directions differ by
    nothing but their data: this is RLPx's own, known weakness, not ours to mend.
    """
    return Cipher(algorithms.AES(key), modes.CTR(bytes(_BLOCK))).encryptor().update


def _block_cipher(key: bytes) -> Callable[[bytes], bytes]:
    """AES-256 on single blocks, as the MAC wants it: this is what ECB is."""
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update  # noqa: S305 - RLPx's MAC


def _xor(left: bytes, right: bytes | memoryview) -> bytes:
    """XOR of 16 bytes; as integers, since a loop over bytes costs ten times as much."""
    return (int.from_bytes(left, "little") ^ int.from_bytes(right, "little")).to_bytes(
        _BLOCK, "little"
    )
