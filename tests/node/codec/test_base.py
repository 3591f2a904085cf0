"""Base32 and base64url without padding."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.codec.base import (
    BaseEncodingError,
    base32_decode,
    base32_encode,
    base64url_decode,
    base64url_encode,
)


@pytest.mark.parametrize(
    ("data", "in_base32", "in_base64"),
    [
        # RFC 4648, section 10, without the padding.
        (b"", "", ""),
        (b"f", "MY", "Zg"),
        (b"fo", "MZXQ", "Zm8"),
        (b"foo", "MZXW6", "Zm9v"),
        (b"foob", "MZXW6YQ", "Zm9vYg"),
        (b"fooba", "MZXW6YTB", "Zm9vYmE"),
        (b"foobar", "MZXW6YTBOI", "Zm9vYmFy"),
        (b"\xfb\xff", "7P7Q", "-_8"),
    ],
)
def test_vectors(data: bytes, in_base32: str, in_base64: str) -> None:
    assert base32_encode(data) == in_base32
    assert base32_decode(in_base32) == data
    assert base64url_encode(data) == in_base64
    assert base64url_decode(in_base64) == data


@given(st.binary(max_size=100))
def test_what_is_written_reads_back(data: bytes) -> None:
    assert base32_decode(base32_encode(data)) == data
    assert base64url_decode(base64url_encode(data)) == data


@given(st.text(alphabet="abzAZ019-_+/= \n\u00e9", max_size=12))
def test_one_datum_has_one_base64_text(text: str) -> None:
    try:
        data = base64url_decode(text)
    except BaseEncodingError:
        return
    assert base64url_encode(data) == text


@pytest.mark.parametrize("text", ["Zg==", "Z", "Zh", "Zm9v\n", "Zm+v", "Zm9vY", "é"])
def test_base64_that_is_not_canonical_is_refused(text: str) -> None:
    with pytest.raises(BaseEncodingError):
        base64url_decode(text)


@pytest.mark.parametrize("text", ["my", "M1", "MY======", "M Y", "É"])
def test_foreign_characters_in_base32_are_refused(text: str) -> None:
    with pytest.raises(BaseEncodingError):
        base32_decode(text)


@given(st.binary(min_size=1, max_size=40), st.integers(min_value=1, max_value=64))
def test_base32_cut_anywhere_gives_the_first_bytes(data: bytes, size: int) -> None:
    text = base64.b32encode(data).decode().rstrip("=")[:size]

    decoded = base32_decode(text)

    assert data.startswith(decoded)
    assert len(decoded) == len(text) * 5 // 8
