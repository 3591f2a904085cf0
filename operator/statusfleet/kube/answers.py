"""From an HTTP answer to a typed error: one table, pure. Source: Kubernetes API conventions."""

from __future__ import annotations

import json
from typing import Any, Final

from statusfleet.kube.errors import (
    AdmissionError,
    AlreadyExistsError,
    AnswerError,
    Cause,
    ConflictError,
    FieldConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TransientError,
)

_LONGEST_TEXT: Final = 2000
_TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_MISTYPED: Final = "failed to create typed patch object"
"""What server-side apply says of a field that its kind does not have, with status 500."""
_UNJUDGED: Final = "failed calling webhook "
"""What stands in the answer, with status 500, where a webhook that has a say does not answer."""
_DENIED: Final = 'admission webhook "'
"""How an answer begins where a webhook refuses the object, with a status that it chooses."""
_BY_STATUS: Final[dict[int, type[AnswerError]]] = {
    401: ForbiddenError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: ConflictError,
    412: ConflictError,
}


def error_of(what: str, status: int, body: bytes, retry_after: str | None) -> AnswerError:
    """Return the error that an answer other than 2xx stands for."""
    answer = _object(body)
    details = _dict(answer.get("details"))
    reason = str(answer.get("reason") or "")
    message = str(
        answer.get("message") or body.decode(errors="replace").strip() or f"HTTP {status}"
    )
    message = message[:_LONGEST_TEXT]
    denied = message.startswith(_DENIED)
    if status in _TRANSIENT and not denied and not message.startswith(_MISTYPED):
        seconds = _seconds(retry_after) or _seconds(details.get("retryAfterSeconds"))
        sort = AdmissionError if _UNJUDGED in message else TransientError
        return sort(what, message, status=status, reason=reason, retry_after=seconds)
    causes = tuple(
        Cause(str(c.get("reason", "")), str(c.get("field", "")), str(c.get("message", "")))
        for c in map(_dict, _list(details.get("causes")))
    )
    kind = ForbiddenError if denied else _BY_STATUS.get(status, InvalidError)
    if reason == "AlreadyExists":
        kind = AlreadyExistsError
    elif kind is ConflictError and any(c.reason == "FieldManagerConflict" for c in causes):
        kind = FieldConflictError
    return kind(what, message, status=status, reason=reason, causes=causes)


def _object(body: bytes) -> dict[str, Any]:
    try:
        return _dict(json.loads(body))
    except ValueError:
        return {}


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _seconds(value: object) -> float:
    """Return a time to wait; 0 where it is none (HTTP also allows a date, which is not sent)."""
    try:
        return max(0.0, float(str(value)))
    except ValueError:
        return 0.0
