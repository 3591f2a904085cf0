"""Status and status update: what peers tell each other about themselves, and its two dialects.

Both are an association list of options (Waku v1, VAC-6, "Status"). waku/1 names options by number;
waku/0 by one-character strings, and puts its version before the list in a Status. All else is the
same, so a dialect is a table, and the reader below serves both.

The reader is as lenient as status-go, to the byte, where peers can tell the difference:

- the last of duplicate options counts;
- bytes after the outer list are ignored;
- after the value of an unknown option its list is not left: what follows *inside* is read as
  options, what follows *behind* is lost. waku/0 then fails unless nothing follows behind.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import IntEnum
from itertools import islice
from typing import Any, Final

from statusnode.codec import rlp
from statusnode.devp2p.protocol import Capability
from statusnode.messages.topic import TOPIC_SIZE
from statusnode.relay.settings import RateLimits

MAX_TOPICS: Final = 10_000
_MAX_OPTIONS: Final = 1_000  # duplicates are legal, a packet full of them is an attack
_RAW_TOPIC_SIZE: Final = 1 + TOPIC_SIZE
_LIMITS: Final = len(fields(RateLimits))


class StatusError(ValueError):
    """A Status or status update that breaks the rules."""


class Option(IntEnum):
    """Keys of the association list; also the order in which options are written."""

    POW_REQUIREMENT = 0
    BLOOM_FILTER = 1
    LIGHT_NODE = 2
    CONFIRMATIONS = 3
    PACKET_LIMITS = 4
    TOPIC_INTEREST = 5
    BYTE_LIMITS = 6


@dataclass(frozen=True, slots=True)
class StatusOptions:
    """The options of one packet; None is an option that is not in it. Fields stand as `Option`."""

    pow_requirement: float | None = None
    bloom_filter: bytes | None = None
    """64 bytes, or none at all for everything."""
    light_node: bool | None = None
    confirmations: bool | None = None
    packet_limits: RateLimits | None = None
    topic_interest: tuple[bytes, ...] | None = None
    """Empty: nothing is wanted."""
    byte_limits: RateLimits | None = None


@dataclass(frozen=True, slots=True)
class Dialect:
    """What tells one version of the capability from the other."""

    capability: Capability
    keys: Mapping[Option, bytes]
    """How each option that it knows is named, without RLP prefix."""
    numbered: bool
    """Whether keys are integers (or else strings)."""
    versioned: bool
    """Whether a Status is [version, options] (or else just options)."""

    def encode_status(self, options: StatusOptions) -> bytes:
        """Write the payload of a Status."""
        encoded = self.encode_update(options)
        if not self.versioned:
            return encoded
        return rlp.encode_list([rlp.encode(self.capability.version), encoded])

    def encode_update(self, options: StatusOptions) -> bytes:
        """Write the payload of a status update."""
        items = []
        for option, key in self.keys.items():
            value = getattr(options, _FIELDS[option])
            if value is not None:
                items.append(rlp.encode([key, _encodable(value)]))
        return rlp.encode_list(items)

    def parse_status(self, payload: bytes) -> StatusOptions:
        """Read the payload of a Status.

        Raises:
            StatusError: it is none of this dialect.
        """
        try:
            if not self.versioned:
                return _OptionReader(self, payload, 0, len(payload)).read()
            position, limit = _enter(payload, 0, len(payload))
            version, position = _raw_item(payload, position, limit)
            if _decode_uint(version) != self.capability.version:
                raise StatusError("the Status is of another version")
            reader = _OptionReader(self, payload, position, limit)
            options = reader.read()
        except rlp.RLPError as error:
            raise StatusError(str(error)) from error
        if not reader.complete:
            raise StatusError("something follows the options")
        return options

    def parse_update(self, payload: bytes) -> StatusOptions:
        """Read the payload of a status update.

        Raises:
            StatusError: it is none of this dialect.
        """
        try:
            return _OptionReader(self, payload, 0, len(payload)).read()
        except rlp.RLPError as error:
            raise StatusError(str(error)) from error


class _OptionReader:
    """Reads one list of options; knows afterwards whether it stopped where its parent list ends."""

    def __init__(self, dialect: Dialect, data: bytes, position: int, limit: int) -> None:
        self._data = data
        self._names = {key: option for option, key in dialect.keys.items()}
        self._numbered = dialect.numbered
        self._parent_limit = limit
        self._position, self._limit = _enter(data, position, limit)

    @property
    def complete(self) -> bool:
        """Whether nothing follows the list that was read last."""
        return self._position == self._parent_limit

    def read(self) -> StatusOptions:
        """Return the options up to the end of the list, or of that of an unknown option."""
        found: dict[str, Any] = {}
        count = 0
        while self._position < self._limit:
            count += 1
            if count > _MAX_OPTIONS:
                raise StatusError(f"more than {_MAX_OPTIONS} options")
            position, end = _enter(self._data, self._position, self._limit)
            key, position = self._key(position, end)
            value, position = _raw_item(self._data, position, end)
            option = self._names.get(key)
            if option is None:
                self._parent_limit, self._limit = self._limit, end
            else:
                if position != end:
                    raise StatusError(f"option {option} has more than one value")
                found[_FIELDS[option]] = _DECODERS[option](value)
            self._position = position
        return StatusOptions(**found)

    def _key(self, position: int, limit: int) -> tuple[bytes, int]:
        is_list, start, end = rlp.item_bounds(self._data, position, limit)
        key = self._data[start:end]
        if is_list:
            raise StatusError("the key of an option is no list")
        if self._numbered:
            rlp.as_uint(key)
        return key, end


def _enter(data: bytes, position: int, limit: int) -> tuple[int, int]:
    """Return where the content of the list at `position` starts and ends."""
    is_list, start, end = rlp.item_bounds(data, position, limit)
    if not is_list:
        raise StatusError("expected a list, got a string")
    return start, end


def _raw_item(data: bytes, position: int, limit: int) -> tuple[bytes, int]:
    _, _, end = rlp.item_bounds(data, position, limit)
    return data[position:end], end


def _decode_bytes(raw: bytes) -> bytes:
    is_list, start, end = rlp.item_bounds(raw, 0, len(raw))
    if is_list:
        raise StatusError("expected a string, got a list")
    return raw[start:end]


def _decode_uint(raw: bytes) -> int:
    return rlp.as_uint(_decode_bytes(raw))


def _decode_bool(raw: bytes) -> bool:
    return rlp.as_bool(_decode_bytes(raw))


def _decode_pow(raw: bytes) -> float:
    value: float = struct.unpack(">d", _decode_uint(raw).to_bytes(8, "big"))[0]
    return value


def _decode_limits(raw: bytes) -> RateLimits:
    values = list(islice(rlp.raw_items(raw, *_enter(raw, 0, len(raw))), _LIMITS + 1))
    if len(values) != _LIMITS:
        raise StatusError(f"rate limits are {_LIMITS} numbers")
    return RateLimits(*map(_decode_uint, values))


def _decode_topics(raw: bytes) -> tuple[bytes, ...]:
    start, end = _enter(raw, 0, len(raw))
    if end - start > MAX_TOPICS * _RAW_TOPIC_SIZE:
        raise StatusError(f"topic interest is limited to {MAX_TOPICS} topics")
    return tuple(
        rlp.as_bytes(_decode_bytes(item), TOPIC_SIZE) for item in rlp.raw_items(raw, start, end)
    )


def _encodable(value: object) -> rlp.Encodable:
    match value:
        case bool() | bytes():
            return value
        case float():
            return int.from_bytes(struct.pack(">d", value), "big")
        case RateLimits(per_address, per_peer, per_topic):
            return [per_address, per_peer, per_topic]
        case tuple():
            return value
    raise TypeError(f"no option holds a {type(value).__name__}")


_DECODERS: Final[Mapping[Option, Callable[[bytes], object]]] = {
    Option.POW_REQUIREMENT: _decode_pow,
    Option.BLOOM_FILTER: _decode_bytes,
    Option.LIGHT_NODE: _decode_bool,
    Option.CONFIRMATIONS: _decode_bool,
    Option.PACKET_LIMITS: _decode_limits,
    Option.TOPIC_INTEREST: _decode_topics,
    Option.BYTE_LIMITS: _decode_limits,
}
_FIELDS: Final[Mapping[Option, str]] = {
    option: field.name for option, field in zip(Option, fields(StatusOptions), strict=True)
}

WAKU_0: Final = Dialect(
    capability=Capability("waku", 0),
    keys={option: b"%d" % option for option in Option if option is not Option.BYTE_LIMITS},
    numbered=False,
    versioned=True,
)
WAKU_1: Final = Dialect(
    capability=Capability("waku", 1),
    keys={option: bytes([option]).lstrip(b"\0") for option in Option},
    numbered=True,
    versioned=False,
)
