"""Requests and answers as JSON (JSON-RPC 2.0), by the rules of go-ethereum.

Those rules are wide: the version is not looked at, the names of fields may be in any case, an id
may be any value that is no object and no array, and of several values only the first counts.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from statusnode.rpc.errors import ParseError, RpcError
from statusnode.rpc.values import Json, Number, Result, whole_text

NOTIFICATION_SUFFIX: Final = "_subscription"
MAX_BATCH: Final = 1000
_SPACE: Final = " \t\r\n"
_MAX_WHOLE: Final = 1e21  # from here on Go writes an exponent
# What Go's encoder escapes, so that an answer can stand inside HTML and JavaScript.
_ESCAPES: Final = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})


@dataclass(frozen=True, slots=True)
class Request:
    """A call; without an id it is a notification, which gets no answer."""

    method: str
    params: Json
    """None where they are missing or null."""
    raw_id: str | None
    """The id as JSON, to be repeated in the answer."""


@dataclass(frozen=True, slots=True)
class BadRequest:
    """Something that is no request, and gets an answer that says so."""

    raw_id: str = "null"
    reason: str = "invalid request"


# Answers and notifications that come in are nothing to a server, and get no answer.
Incoming: TypeAlias = Request | BadRequest | None


def parse(document: bytes) -> Incoming | list[Incoming]:
    """Read the first JSON value of a document: one request, or a batch; None for nothing at all.

    Raises:
        ParseError: it is no JSON.
    """
    text = document.decode("utf-8", "replace").lstrip(_SPACE)
    if not text:
        return None
    try:
        value, _ = _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        raise ParseError(_go_text(error)) from error
    except (ValueError, RecursionError) as error:
        raise ParseError("parse error") from error
    if not isinstance(value, list):
        return _incoming(value)
    if not value:
        return BadRequest(reason="empty batch")
    if len(value) > MAX_BATCH:
        return BadRequest(reason=f"a batch has at most {MAX_BATCH} requests")
    return [_incoming(item) for item in value]


def _refuse(constant: str) -> Json:
    raise ValueError(f"{constant} is no JSON")


_DECODER: Final = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_refuse)


def _go_text(error: json.JSONDecodeError) -> str:
    if error.msg == "Expecting value" and error.pos < len(error.doc):
        return f"invalid character '{error.doc[error.pos]}' looking for beginning of value"
    return "parse error"


def _incoming(value: Json) -> Incoming:
    if not isinstance(value, dict):
        return BadRequest()
    fields = {name.lower(): item for name, item in value.items()}
    method, raw_id = fields.get("method", ""), None
    method = whole_text(method) if isinstance(method, str) else ""
    if "id" in fields:
        if isinstance(fields["id"], dict | list):
            return BadRequest()
        raw_id = _repeat(fields["id"])
    if method:
        if raw_id is None and method.endswith(NOTIFICATION_SUFFIX):
            return None
        return Request(method, fields.get("params"), raw_id)
    is_answer = "result" in fields or isinstance(fields.get("error"), dict)
    if raw_id is not None and is_answer and "params" not in fields:
        return None
    return BadRequest(raw_id or "null")


def _repeat(request_id: bool | str | Number | None) -> str:
    if isinstance(request_id, Number):
        return request_id.literal
    return to_json(whole_text(request_id) if isinstance(request_id, str) else request_id)


def result(raw_id: str, value: Result) -> str:
    """Write the answer to a call that succeeded."""
    return f'{{"jsonrpc":"2.0","id":{raw_id},"result":{to_json(value)}}}'


def failure(raw_id: str, error: Exception) -> str:
    """Write the answer to a call that failed."""
    code = error.code if isinstance(error, RpcError) else RpcError.code
    body = to_json({"code": code, "message": str(error)})
    return f'{{"jsonrpc":"2.0","id":{raw_id},"error":{body}}}'


def notification(namespace: str, subscription_id: str, value: Result) -> bytes:
    """Write what a subscription has to say."""
    method = to_json(namespace + NOTIFICATION_SUFFIX)
    params = to_json({"subscription": subscription_id, "result": value})
    return line(f'{{"jsonrpc":"2.0","method":{method},"params":{params}}}')


def line(answer: str) -> bytes:
    """An answer as it travels: UTF-8, ended by a newline."""
    return answer.encode() + b"\n"


def to_json(value: Result) -> str:
    """Encode a value compactly, with Go's escapes."""
    encoded = json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"))
    return encoded.translate(_ESCAPES)


def _finite(value: Result) -> Result:
    """Bring floats into a form that JSON has: whole ones without a point, infinity as the largest.

    An envelope with a TTL of 0 has an infinite proof of work; one of them must not take the whole
    answer with it.
    """
    if isinstance(value, float):
        if math.isinf(value):
            return math.copysign(sys.float_info.max, value)
        return int(value) if value.is_integer() and abs(value) < _MAX_WHOLE else value
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
