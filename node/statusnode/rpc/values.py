"""Parameters: from JSON to typed values, by the rules and with the texts of Go's decoder.

Peers of status-go's RPC rely on these rules: names of fields in any case, unknown fields passed
over, null standing for the zero value, numbers taken by how they are written (1.0 is no integer),
bytes in base64 unless a type says 0x-hex. A `Parser` takes the JSON value and the `Place` it
stands in, which gives the error its words.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from statusnode.messages.topic import TOPIC_SIZE


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number, as it was written."""

    literal: str


Json: TypeAlias = "bool | str | Number | list[Json] | dict[str, Json] | None"
"""What comes in."""
Result: TypeAlias = "bool | int | float | str | Sequence[Result] | Mapping[str, Result] | None"
"""What goes out."""
T = TypeVar("T")

_UNSIGNED: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_SIGNED: Final = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_HEX: Final = re.compile(r"[0-9a-fA-F]*", re.ASCII)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*", re.ASCII)
_MAX_UINT8: Final = 0xFF
_MAX_UINT32: Final = 0xFFFFFFFF
_MAX_INT64: Final = 0x7FFFFFFFFFFFFFFF


class ValueMismatchError(ValueError):
    """A JSON value that does not fit where it stands."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: an argument by itself, or a named field of an object."""

    field: str = ""

    def mismatch(self, found: str, wanted: str) -> ValueMismatchError:
        """Say that `found` is no `wanted` here."""
        where = f"struct field {self.field} of type" if self.field else "value of type"
        return ValueMismatchError(f"json: cannot unmarshal {found} into Go {where} {wanted}")


Parser: TypeAlias = Callable[[Json, Place], T]


def kind_of(value: Json) -> str:
    """Name the kind of a JSON value as Go's errors do."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case str():
            return "string"
        case Number():
            return "number"
        case list():
            return "array"
        case dict():
            return "object"


def whole_text(value: str) -> str:
    """Replace each half of a surrogate pair, which JSON can write and UTF-8 cannot, by U+FFFD."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def text(value: Json, place: Place) -> str:
    """Take a string."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise place.mismatch(kind_of(value), "string")
    return whole_text(value)


def boolean(value: Json, place: Place) -> bool:
    """Take true or false."""
    if value is None:
        return False
    if not isinstance(value, bool):
        raise place.mismatch(kind_of(value), "bool")
    return value


def _integer(value: Json, place: Place, wanted: str, shape: re.Pattern[str], top: int) -> int:
    if value is None:
        return 0
    if not isinstance(value, Number):
        raise place.mismatch(kind_of(value), wanted)
    if shape.fullmatch(value.literal):
        number = int(value.literal)
        if -top - 1 <= number <= top:
            return number
    raise place.mismatch(f"number {value.literal}", wanted)


def uint32(value: Json, place: Place) -> int:
    """Take an integer of 0 to 2³²-1, written without fraction and exponent."""
    return _integer(value, place, "uint32", _UNSIGNED, _MAX_UINT32)


def _uint8(value: Json, place: Place) -> int:
    return _integer(value, place, "uint8", _UNSIGNED, _MAX_UINT8)


def integer(value: Json, place: Place) -> int:
    """Take an integer of 64 bits."""
    return _integer(value, place, "int", _SIGNED, _MAX_INT64)


def duration(value: Json, place: Place) -> int:
    """Take an integer of 64 bits that counts units of time; which, the caller knows."""
    return _integer(value, place, "time.Duration", _SIGNED, _MAX_INT64)


def float64(value: Json, place: Place) -> float:
    """Take a number that a float64 can hold."""
    if value is None:
        return 0.0
    if not isinstance(value, Number):
        raise place.mismatch(kind_of(value), "float64")
    number = float(value.literal)
    if math.isinf(number):
        raise place.mismatch(f"number {value.literal}", "float64")
    return number


def hex_bytes(value: Json, place: Place) -> bytes:
    """Take bytes written as 0x and hex digits; "" is taken for none."""
    if not isinstance(value, str):
        raise place.mismatch("non-string", "hexutil.Bytes")
    try:
        return _from_hex(value)
    except ValueMismatchError as error:
        raise place.mismatch(str(error), "hexutil.Bytes") from None


def _from_hex(value: str) -> bytes:
    if not value:
        return b""
    if value[:2] not in {"0x", "0X"}:
        raise ValueMismatchError("hex string without 0x prefix")
    if len(value) % 2:
        raise ValueMismatchError("hex string of odd length")
    if not _HEX.fullmatch(value, 2):
        raise ValueMismatchError("invalid hex string")
    return bytes.fromhex(value[2:])


def topic_of(type_name: str) -> Parser[bytes]:
    """Make a parser of a topic: 0x and eight hex digits."""

    def topic(value: Json, place: Place) -> bytes:
        if value is None:
            return bytes(TOPIC_SIZE)
        if not isinstance(value, str):
            raise place.mismatch(kind_of(value), type_name)
        data = _from_hex(value)
        if len(data) != TOPIC_SIZE:
            wanted = f"want {2 * TOPIC_SIZE} for Topic"
            raise ValueMismatchError(f"hex string has length {2 * len(data)}, {wanted}")
        return data

    return topic


def base64_bytes(value: Json, place: Place) -> bytes:
    """Take bytes written in base64 with padding, or as an array of numbers."""
    match value:
        case None:
            return b""
        case str():
            return _from_base64(value.replace("\r", "").replace("\n", ""))
        case list():
            return bytes(_uint8(item, place) for item in value)
        case _:
            raise place.mismatch(kind_of(value), "[]uint8")


def _from_base64(value: str) -> bytes:
    digits = _BASE64.match(value)
    size = digits.end() if digits else 0
    padding = value[size:]
    if size % 4 == 1 or padding != "=" * (-size % 4):
        # Go names the stray character, or the start of a group that is cut short.
        at = size if padding.strip("=") or size % 4 == 0 else size - size % 4
        raise ValueMismatchError(f"illegal base64 data at input byte {at}")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueMismatchError("illegal base64 data") from error


def list_of(parser: Parser[T], type_name: str) -> Parser[list[T]]:
    """Make a parser of arrays whose items `parser` takes."""

    def items(value: Json, place: Place) -> list[T]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise place.mismatch(kind_of(value), type_name)
        return [parser(item, place) for item in value]

    return items


def record(
    make: Callable[..., T], type_name: str, fields: Mapping[str, tuple[str, Parser[Any]]]
) -> Parser[T]:
    """Make a parser of objects.

    `fields` gives each field's name in JSON, then the argument of `make` that it becomes and its
    parser; a field that is missing is no argument. `type_name` is Go's, with its package.
    """
    known = {
        name.lower(): (argument, parser, Place(f"{type_name.rpartition('.')[2]}.{name}"))
        for name, (argument, parser) in fields.items()
    }

    def parse(value: Json, place: Place) -> T:
        if value is None:
            return make()
        if not isinstance(value, dict):
            raise place.mismatch(kind_of(value), type_name)
        found = {}
        for name, item in value.items():
            if name.lower() in known:
                argument, parser, field = known[name.lower()]
                found[argument] = parser(item, field)
        return make(**found)

    return parse


def to_hex(data: bytes) -> str:
    """Write bytes as 0x and hex digits."""
    return "0x" + data.hex()


def to_base64(data: bytes) -> str:
    """Write bytes in base64."""
    return base64.b64encode(data).decode()
