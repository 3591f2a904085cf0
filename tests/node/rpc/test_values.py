"""Parameters as Go reads them, with Go's sentences where they do not fit."""

from __future__ import annotations

import base64
import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.rpc.values import (
    Json,
    Number,
    Parser,
    Place,
    ValueMismatchError,
    base64_bytes,
    boolean,
    duration,
    float64,
    hex_bytes,
    integer,
    list_of,
    record,
    text,
    topic_of,
    uint32,
)

HERE = Place()
FIELD = Place("NewMessage.ttl")
topic = topic_of("common.TopicType")
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.text(st.characters(), max_size=10)
    | st.builds(
        Number,
        st.from_regex(
            r"-?(0|[1-9][0-9]{0,30})(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?",
            fullmatch=True,
            alphabet=st.characters(codec="ascii"),
        ),
    ),
    lambda items: st.lists(items, max_size=4) | st.dictionaries(st.text(max_size=5), items),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("parser", "value", "parsed"),
    [
        (text, "x", "x"),
        (text, None, ""),
        (text, "\ud800!", "\ufffd!"),
        (boolean, True, True),
        (boolean, None, False),
        (uint32, Number("4294967295"), 0xFFFFFFFF),
        (uint32, None, 0),
        (integer, Number("-9223372036854775808"), -(2**63)),
        (duration, Number("1000000000"), 10**9),
        (float64, Number("1e-3"), 0.001),
        (float64, Number("-7"), -7.0),
        (float64, None, 0.0),
        (hex_bytes, "0x00fF", b"\x00\xff"),
        (hex_bytes, "0X", b""),
        (hex_bytes, "", b""),
        (topic, "0x01020304", b"\x01\x02\x03\x04"),
        (topic, None, bytes(4)),
        (base64_bytes, "YQ==", b"a"),
        (base64_bytes, "Y\nQ=\r=", b"a"),
        (base64_bytes, [Number("1"), Number("255")], b"\x01\xff"),
        (base64_bytes, None, b""),
        (list_of(topic, "[]t"), ["0x01020304"], [b"\x01\x02\x03\x04"]),
        (list_of(topic, "[]t"), None, []),
    ],
)
def test_values_that_fit_are_taken(parser: Parser[object], value: Json, parsed: object) -> None:
    assert parser(value, HERE) == parsed


@pytest.mark.parametrize(
    ("parser", "value", "complaint"),
    [
        (text, Number("5"), "json: cannot unmarshal number into Go value of type string"),
        (text, {}, "json: cannot unmarshal object into Go value of type string"),
        (boolean, "true", "json: cannot unmarshal string into Go value of type bool"),
        (uint32, Number("-1"), "json: cannot unmarshal number -1 into Go value of type uint32"),
        (uint32, Number("1.0"), "json: cannot unmarshal number 1.0 into Go value of type uint32"),
        (uint32, Number("4294967296"), "cannot unmarshal number 4294967296 into"),
        (uint32, True, "json: cannot unmarshal bool into Go value of type uint32"),
        (integer, Number("9223372036854775808"), "number 9223372036854775808 into Go value"),
        (duration, "1s", "json: cannot unmarshal string into Go value of type time.Duration"),
        (float64, Number("1e999"), "cannot unmarshal number 1e999 into Go value of type float64"),
        (float64, [], "json: cannot unmarshal array into Go value of type float64"),
        (hex_bytes, "00", "cannot unmarshal hex string without 0x prefix into Go value of type"),
        (hex_bytes, "0x0", "json: cannot unmarshal hex string of odd length into"),
        (hex_bytes, "0x 0", "json: cannot unmarshal invalid hex string into Go value of type"),
        (hex_bytes, None, "json: cannot unmarshal non-string into Go value of type hexutil.Bytes"),
        (topic, "0x01", "hex string has length 2, want 8 for Topic"),
        (topic, Number("1"), "cannot unmarshal number into Go value of type common.TopicType"),
        (base64_bytes, "***", "illegal base64 data at input byte 0"),
        (base64_bytes, "0xabc", "illegal base64 data at input byte 4"),
        (base64_bytes, "YQ", "illegal base64 data at input byte 0"),
        (base64_bytes, "YQ==x", "illegal base64 data at input byte 2"),
        (base64_bytes, [Number("256")], "cannot unmarshal number 256 into Go value of type uint8"),
        (base64_bytes, True, "json: cannot unmarshal bool into Go value of type []uint8"),
        (list_of(topic, "[]t"), "x", "json: cannot unmarshal string into Go value of type []t"),
    ],
)
def test_values_that_do_not_fit_are_refused_in_go_s_words(
    parser: Parser[object], value: Json, complaint: str
) -> None:
    with pytest.raises(ValueMismatchError, match=re.escape(complaint)):
        parser(value, HERE)


def test_a_field_is_named_where_it_does_not_fit() -> None:
    complaint = "number x into Go struct field NewMessage.ttl of type uint32"
    with pytest.raises(ValueMismatchError, match=complaint):
        uint32(Number("x"), FIELD)


def test_fields_may_be_in_any_case_and_unknown_ones_are_passed_over() -> None:
    parser = record(dict, "p.T", {"symKeyID": ("key", text), "ttl": ("ttl", uint32)})

    assert parser({"SYMKEYID": "a", "other": [], "ttl": Number("3")}, HERE) == {
        "key": "a",
        "ttl": 3,
    }
    assert parser(None, HERE) == {}
    with pytest.raises(ValueMismatchError, match=r"struct field T\.ttl of type uint32"):
        parser({"TTL": "x"}, HERE)
    with pytest.raises(ValueMismatchError, match=r"string into Go value of type p\.T"):
        parser("x", HERE)


@given(st.binary(max_size=50))
def test_bytes_in_base64_are_read_back(data: bytes) -> None:
    assert base64_bytes(base64.b64encode(data).decode(), HERE) == data


PARSERS = [text, boolean, uint32, integer, duration, float64, hex_bytes, topic, base64_bytes]


@given(value=json_values, parser=st.sampled_from([*PARSERS, list_of(text, "[]string")]))
def test_any_value_fits_or_is_refused(value: Json, parser: Parser[object]) -> None:
    with contextlib.suppress(ValueMismatchError):
        parser(value, HERE)


@given(st.text("AZaz09+/=\n-*", max_size=12))
def test_any_text_is_base64_or_is_refused_at_a_place_in_it(value: str) -> None:
    try:
        base64_bytes(value, HERE)
    except ValueMismatchError as error:
        place = re.fullmatch(r"illegal base64 data at input byte ([0-9]+)", str(error))
        assert place is not None
        assert int(place[1]) <= len(value)
