"""What a bug report strikes out: secrets in every form, and what looks like one; nothing else."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusfleet.cli.kubectl.redaction import STRUCK_OUT, Redactor, secret_values
from statusnode.crypto.keys import PrivateKey

KEY = bytes(range(7, 39))
URI = "postgresql://mail:p%40ss-word9@db.example.org/archive"


def secret(**data: bytes) -> dict[str, Any]:
    return {"data": {key: base64.b64encode(value).decode() for key, value in data.items()}}


def redactor(**data: bytes) -> Redactor:
    return Redactor(secret_values(secret(**data)))


@pytest.mark.parametrize(
    "written",
    [
        KEY.hex(),
        KEY.hex().upper(),
        f"0x{KEY.hex()}",
        base64.b64encode(KEY).decode(),
        base64.urlsafe_b64encode(KEY).decode().rstrip("="),
        base64.b64encode(KEY.hex().encode()).decode(),
        base64.b64encode(f'{{"NodeKey": "{KEY.hex()}"}}'.encode()).decode(),
        base64.b64encode(b"x" + KEY + b"y").decode(),
        KEY.hex().encode().hex(),
        json.dumps(json.dumps({"a": KEY.hex()})),
    ],
)
def test_a_key_goes_in_every_form(written: str) -> None:
    told = redactor(nodekey=KEY.hex().encode()).text(f"before {written} after")
    assert STRUCK_OUT in told
    assert told.startswith("before ")
    assert told.endswith(" after")
    assert KEY.hex() not in told.lower()
    assert base64.b64encode(KEY).decode()[:20] not in told


@pytest.mark.parametrize("written", [URI, "p%40ss-word9", "p@ss-word9", quote("p@ss-word9")])
def test_a_database_goes_with_the_password_in_its_address(written: str) -> None:
    told = redactor(uri=URI.encode()).text(f"cannot connect: {written}: refused")
    assert "word9" not in told
    assert told.endswith(": refused")


def test_a_quoted_password_of_a_connection_string_goes() -> None:
    told = redactor(dsn=b"host=db password = 'two words'").text("tried two words in vain")
    assert told == f"tried {STRUCK_OUT} in vain"


def test_a_value_that_is_base64_goes_as_the_bytes_that_it_stands_for_too() -> None:
    told = redactor(tsig=base64.b64encode(KEY)).text(f"hmac {KEY.hex()} {base64.b64encode(KEY)!r}")
    assert KEY.hex() not in told
    assert base64.b64encode(KEY).decode() not in told


def test_within_json_only_what_is_secret_goes() -> None:
    settings = {
        "nodeKey": KEY.hex(),
        "mailPassword": "hidden-words",
        "relayers": [{"name": "relayer-0", "enode": "enode://ab@192.0.2.1:30303"}],
    }
    known = redactor(**{"canary.json": json.dumps(settings).encode()})
    text = "relayer-0 enode://ab@192.0.2.1:30303 hidden-words"
    assert known.text(text) == f"relayer-0 enode://ab@192.0.2.1:30303 {STRUCK_OUT}"


def test_a_short_value_goes_as_a_word_and_spoils_no_other() -> None:
    assert redactor(password=b"ay").text("ay delays") == f"{STRUCK_OUT} delays"


@given(st.binary(min_size=1, max_size=80), st.binary(max_size=40), st.binary(max_size=40))
def test_no_value_is_left_raw_in_hex_or_in_base64(
    value: bytes, before: bytes, after: bytes
) -> None:
    known = Redactor([value])
    for form in (value.hex(), base64.b64encode(value).decode()):
        assert form not in known.text(f"<{form}>").replace(STRUCK_OUT, "")
    if len(value) >= 12:
        whole = base64.b64encode(before + value + after).decode()
        assert whole not in known.text(f"<{whole}>")


@given(st.text(st.characters(min_codepoint=32, exclude_categories=("Cs",)), min_size=8))
def test_no_text_is_left_in_json_of_json(value: str) -> None:
    known = Redactor([value.encode()])
    told = known.text(json.dumps(json.dumps({"a": value})))
    assert json.dumps(json.dumps(value))[3:-3] not in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"NodeKey": "abc"}', f'{{"NodeKey": "{STRUCK_OUT}"}}'),
        ('{\\"MailServerPassword\\": \\"abc\\"}', None),
        ('{"password": "x\\"abc", "a": "b"}', f'{{"password": "{STRUCK_OUT}", "a": "b"}}'),
        ('{"password": "", "a": "b"}', '{"password": "", "a": "b"}'),
        (json.dumps(json.dumps({"dsn": 'x"abc', "a": "b"})), None),
        ("dsn host=a password = 'x abc' port=1", f"dsn host=a password={STRUCK_OUT} port=1"),
        ("connect to redis://me:abc@host", f"connect to redis://me:{STRUCK_OUT}@host"),
        ("dsn host=a password=abc port=1", f"dsn host=a password={STRUCK_OUT} port=1"),
        ("Authorization: Bearer abcabcabcabc", f"Authorization: Bearer {STRUCK_OUT}"),
        (
            "-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----\nx",
            f"{STRUCK_OUT}\nx",
        ),
    ],
)
def test_what_looks_like_a_secret_goes_though_nobody_knows_it(text: str, told: str | None) -> None:
    found = Redactor(()).text(text)
    assert "abc" not in found
    assert told in (None, found)


def test_what_may_be_a_key_goes_only_where_not_all_secrets_are_known() -> None:
    digest = f"example.org/statusfleet@sha256:{KEY.hex()}"
    assert Redactor(()).text(KEY.hex()) == KEY.hex()
    assert Redactor((), suspicious=True).text(f"{KEY.hex()} {digest}") == f"{STRUCK_OUT} {digest}"


def test_public_things_stay() -> None:
    public = PrivateKey(KEY).public_key.data.hex()
    text = f"enode://{public}@192.0.2.1:30303 relayer-0 is ready"
    assert redactor(nodekey=KEY.hex().encode()).text(text) == text
