"""Durations as Go writes them: `1m30s`, `250ms`, `24h`.

A duration is kept as whole nanoseconds, as Go's `time.Duration` is, so that what is read here, by
the API server's `duration()` and by Go programs is the same length of time. It is written in the
shortest form that Go reads back (`5m`, not `5m0s`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MAX_TEXT: Final = 32
PATTERN: Final = r"^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$"
SENTENCE: Final = "must be a duration as Go writes it, such as 500ms, 30s, 1m30s or 24h"

_UNITS: Final = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_TERM: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)")
_MAX_NANOSECONDS: Final = 2**63 - 1


class DurationError(ValueError):
    """A text that is no duration."""


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time, in whole nanoseconds, never negative."""

    nanoseconds: int

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read a duration such as `1m30s`.

        Raises:
            DurationError: the text is none, or too long a time for 64 bits (292 years).
        """
        if len(text) > MAX_TEXT or not re.fullmatch(PATTERN, text, re.ASCII):
            raise DurationError(SENTENCE)
        total = sum(
            (Decimal(number) * _UNITS[unit] for number, unit in _TERM.findall(text)), Decimal(0)
        )
        if total > _MAX_NANOSECONDS:
            raise DurationError("must be a duration of at most 292 years")
        return cls(int(total))

    @classmethod
    def of_seconds(cls, seconds: float) -> Duration:
        """Return the duration of `seconds`, to the nanosecond."""
        return cls(round(seconds * 10**9))

    @property
    def seconds(self) -> float:
        """The duration in seconds."""
        return self.nanoseconds / 10**9

    @property
    def whole_seconds(self) -> int:
        """The duration in seconds, rounded up, so that a positive one never becomes 0."""
        return -(-self.nanoseconds // 10**9)

    def __str__(self) -> str:
        if self.nanoseconds == 0:
            return "0s"
        if self.nanoseconds < _UNITS["s"]:
            unit = next(u for u in ("ms", "us", "ns") if self.nanoseconds >= _UNITS[u])
            return f"{_decimal(self.nanoseconds, _UNITS[unit])}{unit}"
        hours, rest = divmod(self.nanoseconds, _UNITS["h"])
        minutes, rest = divmod(rest, _UNITS["m"])
        parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else ""]
        parts.append(f"{_decimal(rest, _UNITS['s'])}s" if rest else "")
        return "".join(parts)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _from_value,
            serialization=core_schema.plain_serializer_function_ser_schema(
                str, return_schema=core_schema.str_schema()
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "maxLength": MAX_TEXT, "x-text": "duration"}


def _from_value(value: object) -> Duration:
    if isinstance(value, Duration):
        return value
    try:
        return Duration.parse(value if isinstance(value, str) else "")
    except DurationError as error:
        raise PydanticCustomError("duration", "{sentence}", {"sentence": str(error)}) from error


def _decimal(amount: int, unit: int) -> str:
    text = format(Decimal(amount) / unit, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
