"""JSON as Go's encoding/json reads and writes it.

Reading: one file is merged over what stands already. Keys match without regard to case, an exact
match first; objects merge key by key, a key that stands twice counts twice; maps gain and replace
entries; arrays are replaced; null empties arrays and maps and leaves everything else alone; only
the first value of a file is read. Unknown keys are reported by their path. Types are not checked
here: the model does that afterwards, with the same paths.

Writing: `json.MarshalIndent` with four blanks, byte for byte.

A *document* is the merged state: nested dicts under the keys' exact spelling, as
`NodeConfig.model_dump(by_alias=True)` gives it. Source: Go 1.13, encoding/json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from types import NoneType
from typing import Any, Final, NoReturn, get_args, get_origin

from pydantic import BaseModel

from statusnode.config.errors import ConfigError, Problem

Document = dict[str, Any]

_BLANKS: Final = " \t\r\n"
_INDENT: Final = "    "
# Go escapes what could end a script, so that JSON may stand inside HTML.
_ESCAPED: Final = re.compile('[\x00-\x1f"\\\\<>&\u2028\u2029]')
_SHORT_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SMALLEST_PLAIN_FLOAT: Final = 1e-6
_LARGEST_PLAIN_FLOAT: Final = 1e21


class _Pairs(list[tuple[str, Any]]):
    """An object as it stands in a file: its keys in order, double ones too."""


def parse(text: str) -> object:
    """Read the first JSON value of `text`; what follows it is ignored.

    Raises:
        ConfigError: there is none, or it is no JSON.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_Pairs, parse_constant=_refuse_constant)
    start = len(text) - len(text.lstrip(_BLANKS))
    if start == len(text):
        raise ConfigError([Problem("", "the file is empty, a JSON object is wanted")])
    try:
        value, _ = decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ConfigError([Problem("", f"no JSON: {error.msg} at {where}")]) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError([Problem("", f"no JSON: {error}")]) from error
    return value


def merge(document: Document, value: object, model: type[BaseModel]) -> list[str]:
    """Merge a value of `parse` into `document`, whose shape is `model`.

    Returns the paths of keys that the model does not know, in the order of the file.

    Raises:
        ConfigError: the value is neither an object nor null.
    """
    unknown: list[str] = []
    if value is None:
        return unknown
    if not isinstance(value, _Pairs):
        raise ConfigError([Problem("", f"want an object, got {kind_of(value)}")])
    _merge_object(document, value, model, "", unknown)
    return unknown


def overlay(document: Document, layer: Document, model: type[BaseModel]) -> None:
    """Merge a built-in layer, which is spelled exactly and of the right types."""
    merge(document, parse(json.dumps(layer)), model)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


@cache
def _keys(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


@cache
def _folded(model: type[BaseModel]) -> dict[str, str]:
    folded: dict[str, str] = {}
    for key in _keys(model):
        folded.setdefault(key.casefold(), key)
    return folded


def _merge_object(
    target: Document, pairs: _Pairs, model: type[BaseModel], path: str, unknown: list[str]
) -> None:
    keys = _keys(model)
    for written, value in pairs:
        key = written if written in keys else _folded(model).get(written.casefold())
        if key is None:
            unknown.append(f"{path}{_clean_text(written)}")
            continue
        annotation = keys[key]
        section = _section_of(annotation)
        if section is not None and isinstance(value, _Pairs):
            # A section that is absent unless set starts from nothing.
            inner = target[key] = dict(target.get(key) or {})
            _merge_object(inner, value, section, f"{path}{key}.", unknown)
        else:
            target[key] = _merge_value(target.get(key), value, annotation, f"{path}{key}", unknown)


def _merge_value(
    current: object, value: object, annotation: object, path: str, unknown: list[str]
) -> object:
    if value is None:
        return None if NoneType in get_args(annotation) else current
    map_value = _map_value_of(annotation)
    if map_value is not None and isinstance(value, _Pairs):
        merged = dict(current) if isinstance(current, dict) else {}
        for name, item in value:
            # Go starts every entry anew: what the old one held is not merged in.
            entry: object = {} if item is None else _plain(item)
            if isinstance(item, _Pairs):
                entry = {}
                _merge_object(entry, item, map_value, f"{path}.{name}.", unknown)
            merged[_clean_text(name)] = entry
        return dict(sorted(merged.items()))
    if isinstance(value, list) and not isinstance(value, _Pairs):
        # A null leaves the place in the array as it was.
        old = current if isinstance(current, list) else []
        return [
            (old[i] if i < len(old) else "") if item is None else _plain(item)
            for i, item in enumerate(value)
        ]
    return _plain(value)


def _section_of(annotation: object) -> type[BaseModel] | None:
    """Return the model of an object, or None where the key holds something else."""
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _map_value_of(annotation: object) -> type[BaseModel] | None:
    for part in (annotation, *get_args(annotation)):
        if get_origin(part) is dict:
            return _section_of(get_args(part)[1])
    return None


def _plain(value: object) -> object:
    if isinstance(value, _Pairs):
        return {_clean_text(key): _plain(item) for key, item in value}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return _clean_text(value) if isinstance(value, str) else value


def _clean_text(text: str) -> str:
    """Replace halves of surrogate pairs, as Go does: no output could hold them."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def kind_of(value: object) -> str:
    """Name the JSON type of a value, with its article, for a sentence."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a fraction"
        case str():
            return "a string"
        case dict() | _Pairs():
            return "an object"
        case _:
            return "an array"


def dump(value: object) -> str:
    """Write `value` as Go's `json.MarshalIndent(value, "", "    ")` does."""
    return "".join(_dump(value, "\n"))


def _dump(value: object, newline: str) -> Iterator[str]:
    inner = newline + _INDENT
    match value:
        case dict() if value:
            separator = "{"
            for key, item in value.items():
                yield f"{separator}{inner}{_dump_text(key)}: "
                yield from _dump(item, inner)
                separator = ","
            yield newline + "}"
        case list() if value:
            separator = "["
            for item in value:
                yield separator + inner
                yield from _dump(item, inner)
                separator = ","
            yield newline + "]"
        case str():
            yield _dump_text(value)
        case float():
            yield _dump_float(value)
        case _:
            yield json.dumps(value)


def _dump_text(text: str) -> str:
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    return _SHORT_ESCAPES.get(character) or f"\\u{ord(character):04x}"


def _dump_float(number: float) -> str:
    if number == 0 or _SMALLEST_PLAIN_FLOAT <= abs(number) < _LARGEST_PLAIN_FLOAT:
        if number.is_integer():
            return f"{number:.0f}"
        digits = repr(number)
        if "e" not in digits:
            return digits
        # Python turns to exponents below 1e-4, Go below 1e-6.
        places = len(digits.split("e")[0].replace(".", "").lstrip("-")) - 1
        exponent = int(digits.split("e")[1])
        return f"{number:.{places - exponent}f}"
    mantissa, _, exponent_text = repr(number).partition("e")
    mantissa = mantissa.removesuffix(".0")
    return f"{mantissa}e{int(exponent_text):+d}"
