"""YAML as a manifest may use it: plain data, lines remembered, nothing that executes or explodes.

Read from libyaml's events, which need no recursion. Size, depth and the number of values are
bounded, an alias counts as often as it is used. Scalars are taken as the Kubernetes tools take
them (YAML 1.1 booleans, no dates, no sexagesimal numbers), since both must read a file alike.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import yaml
from yaml import events

from statusfleet.api.problems import Path

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_DEPTH: Final = 50
MAX_VALUES: Final = 100_000
MAX_DOCUMENTS: Final = 1000

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"

_TRUE: Final = frozenset(["true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"])
_FALSE: Final = frozenset(["false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"])
_NULL: Final = frozenset(("", "~", "null", "Null", "NULL"))
_INT: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,30}|0o?[0-7]{1,30}|0x[0-9a-fA-F]{1,30})", re.ASCII)
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?", re.ASCII)
_MAX_NUMBER: Final = 64
_TEXT_TAG: Final = "tag:yaml.org,2002:str"


class DocumentError(ValueError):
    """A text that is no YAML of this kind; lines count from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: its value, and the line of each part by its path."""

    value: Value
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """Return the line of a part, or of the nearest one around it that is there."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)


def read_documents(data: bytes) -> list[Document]:
    """Read all documents of a file; empty ones are left out.

    Raises:
        DocumentError: it is no YAML, or uses what a manifest may not.
    """
    if len(data) > MAX_BYTES:
        raise DocumentError(f"the file is larger than {MAX_BYTES // 1024 // 1024} MiB", 0)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DocumentError("the file is not UTF-8", line) from error
    try:
        return list(_Reader(yaml.parse(text, Loader=_LOADER)).documents())
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DocumentError("a character that YAML does not allow", line) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = " ".join(part for part in (error.context, error.problem) if part)
        raise DocumentError(f"not valid YAML: {words}", mark.line + 1 if mark else 0) from error


_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Reader:
    """Builds values from events, within the limits."""

    def __init__(self, stream: Iterator[events.Event]) -> None:
        self._stream = stream
        self._values = 0
        self._anchors: dict[str, tuple[Value, int]] = {}
        self._lines: dict[Path, int] = {}

    def documents(self) -> Iterator[Document]:
        found = 0
        for event in self._stream:
            if not isinstance(event, events.DocumentStartEvent):
                continue
            self._anchors, self._lines = {}, {}
            value = self._value(next(self._stream), ())
            if value is not None:
                found += 1
                if found > MAX_DOCUMENTS:
                    raise DocumentError(f"more than {MAX_DOCUMENTS} documents", _line(event))
                yield Document(value, self._lines)

    def _value(self, event: events.Event, path: Path) -> Value:
        self._lines[path] = _line(event)
        before = self._values
        self._count(1, event)
        if isinstance(event, events.AliasEvent):
            return self._alias(event)
        if not isinstance(event, events.ScalarEvent | events.CollectionStartEvent):
            raise DocumentError("a value is missing", _line(event))
        if len(path) > MAX_DEPTH:
            raise DocumentError(f"more than {MAX_DEPTH} levels deep", _line(event))
        if isinstance(event, events.MappingStartEvent):
            value: Value = self._mapping(event, path)
        elif isinstance(event, events.ScalarEvent):
            value = _scalar(event)
        else:
            value = self._sequence(event, path)
        if event.anchor is not None:
            # Kept only when it is whole, so that it cannot contain itself.
            self._anchors[event.anchor] = (value, self._values - before)
        return value

    def _mapping(self, start: events.MappingStartEvent, path: Path) -> dict[str, Value]:
        _refuse_tag(start)
        result: dict[str, Value] = {}
        while not isinstance(event := next(self._stream), events.MappingEndEvent):
            key = _key(event)
            if key in result:
                first = self._lines[(*path, key)]
                text = f'the key "{key}" stands here a second time, first in line {first}'
                raise DocumentError(text, _line(event))
            result[key] = self._value(next(self._stream), (*path, key))
            self._lines[(*path, key)] = _line(event)
        return result

    def _sequence(self, start: events.CollectionStartEvent, path: Path) -> list[Value]:
        _refuse_tag(start)
        result: list[Value] = []
        while not isinstance(event := next(self._stream), events.SequenceEndEvent):
            result.append(self._value(event, (*path, len(result))))
        return result

    def _alias(self, event: events.AliasEvent) -> Value:
        if event.anchor not in self._anchors:
            raise DocumentError(f"the alias *{event.anchor} has no anchor before it", _line(event))
        value, size = self._anchors[event.anchor]
        self._count(size, event)
        return value

    def _count(self, more: int, event: events.Event) -> None:
        self._values += more
        if self._values > MAX_VALUES:
            raise DocumentError(f"more than {MAX_VALUES} values, aliases counted", _line(event))


def _line(event: events.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _refuse_tag(event: events.CollectionStartEvent) -> None:
    if event.tag is not None:
        raise DocumentError(f"the tag {event.tag} is not allowed here", _line(event))


def _key(event: events.Event) -> str:
    if not isinstance(event, events.ScalarEvent):
        raise DocumentError("a key must be a plain text", _line(event))
    if event.value == "<<" and event.implicit[0]:
        raise DocumentError("merge keys (<<) are not supported; write the fields out", _line(event))
    return event.value


def _scalar(event: events.ScalarEvent) -> Value:
    text = event.value
    if event.tag is not None and event.tag not in ("!", _TEXT_TAG):
        raise DocumentError(f"the tag {event.tag} is not allowed here", _line(event))
    if not event.implicit[0]:  # quoted, a block, or tagged as text
        return text
    return _plain(text)


def _plain(text: str) -> Value:
    """Resolve a scalar that stands without quotes."""
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if len(text) <= _MAX_NUMBER:
        if _INT.fullmatch(text):
            return _integer(text)
        if _FLOAT.fullmatch(text):
            number = float(text)
            return number if math.isfinite(number) else text
    return text


def _integer(text: str) -> int:
    digits = text.lstrip("+-")
    base = 10
    if digits[:2] in ("0x", "0o"):
        base = 16 if digits[1] == "x" else 8
    elif len(digits) > 1 and digits[0] == "0":
        base = 8
    return int(digits, base) * (-1 if text[0] == "-" else 1)
