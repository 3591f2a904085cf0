"""The envelope: sealed data with an expiry, a topic and a proof of work (Waku v1, VAC-6).

Its law: **the raw bytes are the envelope.** It is identified by their hash, forwarded and archived
as they came, and never encoded again. The fields are a view of them; what the relay path does not
always need (data, nonce, proof of work) is computed when asked for.

On the wire: RLP `[expiry uint32, ttl uint32, topic 4 bytes, data bytes, nonce uint64]`.
"""

from __future__ import annotations

from typing import Final

from statusnode.codec import rlp
from statusnode.crypto.keccak import keccak256
from statusnode.messages.pow import leading_zero_bits, pow_value
from statusnode.messages.topic import TOPIC_SIZE

HEADER_SIZE: Final = 20
_UINT32_SIZE: Final = 4
_UINT64_SIZE: Final = 8
_TOPIC_PREFIX: Final = 0x80 + TOPIC_SIZE
_STRING: Final = 0xB9  # with two bytes of size
_LIST: Final = 0xF9
_UNKNOWN: Final = -1.0


class EnvelopeError(ValueError):
    """Bytes that are no envelope."""


class Envelope:
    """One envelope; immutable but for what it remembers of its proof of work.

    Equal to another of the same bytes. Costs about 200 bytes beside the raw bytes.
    """

    __slots__ = ("_nonce_at", "_pow", "_start", "expiry", "hash", "raw", "topic", "ttl")

    raw: bytes
    hash: bytes
    """Keccak-256 of `raw`: the identity."""
    expiry: int
    """Unix seconds after which it is no longer forwarded."""
    ttl: int
    """Seconds from its sending to `expiry`."""
    topic: bytes
    _start: int  # where the data starts in `raw`
    _nonce_at: int  # where the nonce's RLP starts: behind the data
    _pow: float

    @classmethod
    def parse(cls, raw: bytes, identity: bytes | None = None) -> Envelope:
        """Read the RLP of one envelope; `identity` is its hash where the caller has it already.

        Raises:
            EnvelopeError: it is not exactly one canonical envelope.
        """
        self = cls.__new__(cls)
        self.raw = raw
        limit = len(raw)
        try:
            # Lists and strings of 256 to 65,535 bytes, as nearly all are, are read right here; all
            # others by the reader of RLP.
            if raw[0] == _LIST and raw[1] and (raw[1] << 8) + raw[2] + 3 == limit:
                position = 3
            else:
                is_list, position, end = rlp.item_bounds(raw, 0, limit)
                if not is_list or end != limit:
                    raise EnvelopeError("an envelope is one list, nothing else")
            self.expiry, position = _read_uint(raw, position, _UINT32_SIZE)
            self.ttl, position = _read_uint(raw, position, _UINT32_SIZE)
            if raw[position] != _TOPIC_PREFIX:
                raise EnvelopeError(f"a topic is a string of {TOPIC_SIZE} bytes")
            self.topic = raw[position + 1 : position + 1 + TOPIC_SIZE]
            position += 1 + TOPIC_SIZE
            if raw[position] == _STRING and raw[position + 1]:
                self._start = position + 3
                position += (raw[position + 1] << 8) + raw[position + 2] + 3
            else:
                is_list, self._start, position = rlp.item_bounds(raw, position, limit)
                if is_list:
                    raise EnvelopeError("the data of an envelope is a string")
            self._nonce_at = position
            _, position = _read_uint(raw, position, _UINT64_SIZE)
        except IndexError:
            raise EnvelopeError("the envelope ends before its last field") from None
        except rlp.RLPError as error:
            raise EnvelopeError(str(error)) from error
        if position != limit:
            raise EnvelopeError("an envelope has exactly five fields")
        self.hash = identity or keccak256(raw)
        self._pow = _UNKNOWN
        return self

    @classmethod
    def build(cls, expiry: int, ttl: int, topic: bytes, data: bytes, nonce: int) -> Envelope:
        """Make an envelope of its fields.

        Raises:
            EnvelopeError: a field does not fit.
        """
        return cls.parse(rlp.encode([expiry, ttl, topic, data, nonce]))

    @property
    def data(self) -> bytes:
        """The sealed message (a copy)."""
        return self.raw[self._start : self._nonce_at]

    @property
    def nonce(self) -> int:
        """What the miner found."""
        return _read_uint(self.raw, self._nonce_at, _UINT64_SIZE)[0]

    @property
    def size(self) -> int:
        """The size that limits speak of: 20 + the length of the data, not the length of `raw`."""
        return HEADER_SIZE + self._nonce_at - self._start

    @property
    def sent(self) -> int:
        """Unix seconds at which the sender says it was sent (uint32, so it may wrap)."""
        return (self.expiry - self.ttl) & 0xFFFFFFFF

    @property
    def pow(self) -> float:
        """Its proof of work."""
        if self._pow == _UNKNOWN:
            self.weigh(0)
        return self._pow

    def weigh(self, extra_seconds: int) -> None:
        """Compute the proof of work as if the TTL were `extra_seconds` (uint32) longer; keep it.

        A sender whose clock is ahead of ours gets the difference charged so.
        """
        head = self._head()
        digest = keccak256(head + self.nonce.to_bytes(_UINT64_SIZE, "big"))
        ttl = (self.ttl + extra_seconds) & 0xFFFFFFFF
        self._pow = pow_value(leading_zero_bits(digest), len(head), ttl)

    def reaches(self, wanted_pow: float) -> bool:
        """Tell whether the proof of work is at least `wanted_pow`, without hashing where possible.

        Even without one leading zero bit, a small and short-lived envelope is worth something, and
        that often is enough. `raw` is no shorter than the list that the proof is measured by.
        """
        if self._pow == _UNKNOWN and wanted_pow * len(self.raw) * self.ttl <= 1.0:
            return True
        return self.pow >= wanted_pow

    def _head(self) -> bytes:
        """The RLP list of all fields but the nonce."""
        raw = self.raw
        prefix = raw[0]
        fields = raw[1 if prefix < 0xF8 else prefix - 0xF6 : self._nonce_at]
        return rlp.list_header(len(fields)) + fields

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Envelope) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.hash)

    def __repr__(self) -> str:
        return f"Envelope({self.hash.hex()[:16]}…, topic={self.topic.hex()}, {len(self.raw)} bytes)"


def _read_uint(raw: bytes, position: int, size: int) -> tuple[int, int]:
    """Read an unsigned integer of at most `size` bytes; return it and where it ends."""
    prefix = raw[position]
    if prefix < 0x80:
        if prefix == 0:
            raise EnvelopeError("an integer has no leading zeros")
        return prefix, position + 1
    end = position + prefix - 0x7F
    if end - position - 1 > size:
        raise EnvelopeError(f"expected an integer of at most {size} bytes")
    if prefix == 0x80:
        return 0, end
    first = raw[position + 1]
    if first == 0 or (prefix == 0x81 and first < 0x80):
        raise EnvelopeError("an integer is not in its shortest form")
    return int.from_bytes(raw[position + 1 : end], "big"), end
