"""Mail requests: their two forms, defaults, and the sentences with which they are refused.

sealed   F8 … lower 84 …, upper 84 …, bloom B8 40 …, topics C5 84 …, limit, cursor A4 …, batch
plain    F8 … id A0 …, lower, upper, limit, cursor, bloom, topics
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.codec import rlp
from statusnode.mailserver.request import MAX_LIMIT, MailRequest, PlainRequest, RequestError

FULL = b"\xff" * 64
NOW = 1_700_000_000
GOOD = MailRequest(NOW - 10, NOW, FULL)

uint32 = st.integers(0, 2**32 - 1)
requests = st.builds(
    MailRequest,
    lower=uint32,
    upper=uint32,
    bloom=st.binary(max_size=70),
    topics=st.lists(st.binary(max_size=6), max_size=4).map(tuple),
    limit=uint32,
    cursor=st.binary(max_size=40),
    batch=st.booleans(),
)


def picture(*parts: str) -> bytes:
    return bytes.fromhex("".join(parts))


def test_the_sealed_form_has_seven_items_in_the_order_of_status_go() -> None:
    request = MailRequest(1, 2, b"\x03" * 64, (b"abcd",), 5, b"\x06" * 36, batch=True)
    assert request.encode() == picture(
        "f871",  # a list of 113 bytes
        "01",  # lower
        "02",  # upper
        "b840" + 64 * "03",  # bloom
        "c58461626364",  # topics
        "05",  # limit
        "a4" + 36 * "06",  # cursor
        "01",  # batch
    )


def test_the_plain_form_begins_with_the_id_and_ends_with_the_topics() -> None:
    request = MailRequest(1, 2, b"\x03" * 64, (b"abcd",), 5, b"\x06" * 36)
    assert request.encode_plain(b"\x09" * 32) == picture(
        "f891",  # a list of 145 bytes
        "a0" + 32 * "09",  # id
        "01",  # lower
        "02",  # upper
        "05",  # limit
        "a4" + 36 * "06",  # cursor
        "b840" + 64 * "03",  # bloom
        "c58461626364",  # topics
    )


@given(requests)
def test_the_sealed_form_comes_back_as_it_was(request: MailRequest) -> None:
    assert MailRequest.decode(request.encode()) == request


@given(requests, st.binary(min_size=32, max_size=32))
def test_the_plain_form_comes_back_batched(request: MailRequest, request_id: bytes) -> None:
    plain = PlainRequest.decode(request.encode_plain(request_id))
    assert plain == PlainRequest(request_id, replace(request, batch=True))


@pytest.mark.parametrize(
    ("sent", "understood"),
    [
        (b"", bytes(32)),
        (b"\x01\x02", bytes(30) + b"\x01\x02"),
        (bytes(8) + b"\x07" * 32, b"\x07" * 32),
    ],
)
def test_an_id_of_another_size_is_padded_or_cropped_on_its_left(
    sent: bytes, understood: bytes
) -> None:
    assert PlainRequest.decode(GOOD.encode_plain(sent)).request_id == understood


@pytest.mark.parametrize("missing", [1, 2])
def test_the_shorter_forms_of_the_drafts_are_refused(missing: int) -> None:
    items = rlp.split_list(GOOD.encode())
    with pytest.raises(rlp.RLPError) as refusal:
        MailRequest.decode(rlp.encode_list(items[:-missing]))
    assert str(refusal.value) == "rlp: too few elements for mailserver.MessagesRequestPayload"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x80",
        rlp.encode([2**32, 1, b"", [], 1, b"", True]),
        rlp.encode([1, 1, [b""], [], 1, b"", True]),
        rlp.encode([1, 1, b"", b"", 1, b"", True]),
        rlp.encode([1, 1, b"", [], 1, b"", 2]),
        rlp.encode([b"\0\1", 1, b"", [], 1, b"", True]),
        rlp.encode([1, 1, b"", [], 1, b"", True, 1]),
        rlp.encode([1, 1, b"", [], 1, b"", True]) + b"\0",
    ],
)
def test_what_is_no_request_is_refused(payload: bytes) -> None:
    with pytest.raises(rlp.RLPError):
        MailRequest.decode(payload)


@given(st.binary(max_size=200))
def test_no_bytes_from_a_peer_break_the_readers(payload: bytes) -> None:
    for read in (MailRequest.decode, PlainRequest.decode):
        with contextlib.suppress(rlp.RLPError):
            read(payload)


@given(requests, st.integers(0, 300), st.integers(0, 255))
def test_no_changed_byte_breaks_the_readers(request: MailRequest, place: int, value: int) -> None:
    payload = bytearray(request.encode())
    payload[place % len(payload)] = value
    with contextlib.suppress(rlp.RLPError):
        MailRequest.decode(bytes(payload))


def test_what_is_left_open_means_until_now_and_a_thousand() -> None:
    request = MailRequest(1, 0, FULL).with_defaults(NOW + 0.7)
    assert (request.upper, request.limit) == (NOW + 60, MAX_LIMIT)
    assert replace(GOOD, limit=7).with_defaults(NOW).limit == 7


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (MailRequest(2, 1, b"", limit=5000), "query range is invalid: lower > upper"),
        (MailRequest(1, 2, b"", limit=5000), "bloom filter is empty"),
        (MailRequest(1, 2, b"", (b"abcd",)), "bloom filter is empty"),
        (MailRequest(1, 2, bytes(63), limit=1001), "limit exceeds the maximum allowed value"),
        (MailRequest(1, 2, bytes(63), limit=1000), "bloom filter has 63 bytes, not 64"),
        (MailRequest(1, 2, bytes(65)), "bloom filter has 65 bytes, not 64"),
        (MailRequest(1, 2, FULL, (b"abc",)), "a topic has 3 bytes, not 4"),
    ],
)
def test_the_first_thing_wrong_is_what_the_client_is_told(
    request_: MailRequest, reason: str
) -> None:
    with pytest.raises(RequestError) as refusal:
        request_.check()
    assert str(refusal.value) == f"request is invalid: {reason}"


def test_a_good_request_passes() -> None:
    GOOD.check()
    MailRequest(1, 1, FULL, (b"abcd",), 1000, b"odd cursor").check()
