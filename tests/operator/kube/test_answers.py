"""From an answer of the API server to a typed error: bodies as a real server of 1.34 sends them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusfleet.kube import (
    AlreadyExistsError,
    AnswerError,
    ConflictError,
    FieldConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TransientError,
)
from statusfleet.kube.answers import error_of
from statusfleet.kube.errors import AdmissionError


def answer(reason: str, message: str = "no", **details: object) -> bytes:
    status: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
    return json.dumps(status | {"reason": reason, "message": message, "details": details}).encode()


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (400, "BadRequest", InvalidError),
        (401, "Unauthorized", ForbiddenError),
        (403, "Forbidden", ForbiddenError),
        (404, "NotFound", NotFoundError),
        (405, "MethodNotAllowed", InvalidError),
        (409, "AlreadyExists", AlreadyExistsError),
        (409, "Conflict", ConflictError),
        (410, "Expired", ConflictError),
        (413, "RequestEntityTooLarge", InvalidError),
        (422, "Invalid", InvalidError),
        (429, "TooManyRequests", TransientError),
        (500, "InternalError", TransientError),
        (503, "ServiceUnavailable", TransientError),
        (504, "Timeout", TransientError),
    ],
)
def test_each_answer_has_its_error(status: int, reason: str, expected: type[AnswerError]) -> None:
    error = error_of("get Pod a/b", status, answer(reason, "because"), None)
    assert type(error) is expected
    assert (error.status, error.reason, str(error)) == (status, reason, "get Pod a/b: because")


def test_a_webhook_that_does_not_answer_is_told_from_a_server_in_trouble() -> None:
    text = (
        'Internal error occurred: failed calling webhook "judge.example.com": failed to call '
        'webhook: Post "https://127.0.0.1:1/?timeout=2s": dial tcp 127.0.0.1:1: connect: '
        "connection refused"
    )
    error = error_of("apply Secret a/b", 500, answer("InternalError", text), None)
    assert isinstance(error, AdmissionError)
    assert str(error) == f"apply Secret a/b: {text}"


@pytest.mark.parametrize("status", [400, 403, 404, 409, 500, 503])
def test_what_a_webhook_denies_is_forbidden_whatever_status_it_chooses(status: int) -> None:
    text = 'admission webhook "judge.example.com" denied the request: not here'
    assert type(error_of("apply", status, answer("", text), None)) is ForbiddenError


def test_a_conflict_of_fields_names_each_with_its_holder() -> None:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl-edit" using apps/v1 at 2026-01-01T00:00:00Z',
            "field": ".spec.replicas",
        },
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "helm"',
            "field": ".metadata.labels.a",
        },
        {"reason": "FieldManagerConflict", "message": "conflict", "field": ".data"},
    ]
    error = error_of("apply", 409, answer("Conflict", causes=causes), None)
    assert isinstance(error, FieldConflictError)
    assert error.fields == (
        (".spec.replicas", "kubectl-edit"),
        (".metadata.labels.a", "helm"),
        (".data", ""),
    )


def test_a_namespace_that_ends_is_told_from_a_missing_right() -> None:
    ends = answer("Forbidden", causes=[{"reason": "NamespaceTerminating"}])
    for body, expected in ((ends, True), (answer("Forbidden"), False)):
        error = error_of("create", 403, body, None)
        assert isinstance(error, ForbiddenError)
        assert error.namespace_ends is expected


@pytest.mark.parametrize(
    ("header", "details", "seconds"),
    [
        ("7", {}, 7),
        (None, {"retryAfterSeconds": 3}, 3),
        ("soon", {}, 0),
        (None, {}, 0),
        ("-1", {}, 0),
    ],
)
def test_the_time_to_wait_is_the_server_s(
    header: str | None, details: dict[str, object], seconds: float
) -> None:
    error = error_of("get", 429, answer("TooManyRequests", **details), header)
    assert isinstance(error, TransientError)
    assert error.retry_after == seconds


def test_what_is_no_answer_of_the_api_is_still_told() -> None:
    assert str(error_of("get", 502, b"<html>bad gateway</html>", None)).endswith(
        "bad gateway</html>"
    )
    assert str(error_of("get", 502, b"", None)) == "get: HTTP 502"
    assert len(str(error_of("get", 500, b"x" * 100_000, None))) < 3000


@given(st.binary(), st.integers(300, 599))
def test_no_body_breaks_it(body: bytes, status: int) -> None:
    assert isinstance(error_of("get", status, body, None), AnswerError)


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["details", "causes", "reason", "message", "field"]), inner
            )
        ),
    )
)
def test_no_json_breaks_it(value: Any) -> None:
    assert isinstance(error_of("get", 409, json.dumps(value).encode(), None), AnswerError)


def test_a_field_that_its_kind_does_not_have_stays_wrong_whatever_the_status_says() -> None:
    text = "failed to create typed patch object (ns/x; apps/v1, Kind=StatefulSet): .spec.x: field"
    body = json.dumps({"message": text, "reason": "InternalError"}).encode()
    assert type(error_of("apply", 500, body, None)) is InvalidError
