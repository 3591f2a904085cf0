"""The end of an answer.

success   id 32 | last hash 32 | cursor 0 or 36
failure   45 52 52 4F 52 3D ("ERROR=") | id 32 | sentence
"""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.mailserver.response import Completion, Failure, ResponseError, decode

ID = b"\x01" * 32
HASH = b"\x02" * 32
CURSOR = b"\x03" * 36


def test_a_success_is_id_hash_and_cursor() -> None:
    assert Completion(ID, HASH, CURSOR).encode() == ID + HASH + CURSOR
    assert Completion(ID).encode() == ID + bytes(32)


def test_a_failure_is_marked_by_its_first_six_bytes() -> None:
    assert Failure(ID, "PoW too low").encode() == b"ERROR=" + ID + b"PoW too low"


@given(
    st.binary(min_size=32, max_size=32).filter(lambda data: not data.startswith(b"ERROR=")),
    st.binary(min_size=32, max_size=32),
    st.sampled_from([b"", CURSOR]),
)
def test_a_success_comes_back(request_id: bytes, last_hash: bytes, cursor: bytes) -> None:
    completion = Completion(request_id, last_hash, cursor)
    assert decode(completion.encode()) == completion


@given(st.binary(min_size=32, max_size=32), st.text())
def test_a_failure_comes_back(request_id: bytes, text: str) -> None:
    assert decode(Failure(request_id, text).encode()) == Failure(request_id, text)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (32, Completion(ID)),
        (50, Completion(ID)),
        (64, Completion(ID, HASH)),
        (80, Completion(ID, HASH)),
        (100, Completion(ID, HASH, CURSOR)),
    ],
)
def test_short_successes_mean_what_status_go_takes_them_for(
    size: int, expected: Completion
) -> None:
    assert decode((ID + HASH + CURSOR)[:size]) == expected


@pytest.mark.parametrize("size", [0, 31, 101, 5000])
def test_other_sizes_are_no_answer(size: int) -> None:
    with pytest.raises(ResponseError, match=f"unexpected payload size: {size}"):
        decode(bytes(size))


@given(st.binary(max_size=120))
def test_no_bytes_from_a_server_break_the_reader(data: bytes) -> None:
    with contextlib.suppress(ResponseError):
        decode(data)
