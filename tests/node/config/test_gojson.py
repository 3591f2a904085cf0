"""JSON as Go reads and writes it; the expected texts were printed by statusd 0.68.4."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.config import gojson
from statusnode.config.errors import ConfigError
from statusnode.config.model import NodeConfig

BASE = NodeConfig().model_dump(by_alias=True)


def merged(*texts: str) -> gojson.Document:
    document = json.loads(json.dumps(BASE))
    for text in texts:
        gojson.merge(document, gojson.parse(text), NodeConfig)
    return document


def test_keys_match_without_regard_to_case() -> None:
    assert merged('{"wakuconfig": {"fullNODE": true}}')["WakuConfig"]["FullNode"] is True


def test_the_kelvin_sign_is_a_letter_k() -> None:
    assert merged('{"\\u212aeyStoreDir": "a"}')["KeyStoreDir"] == "a"


def test_a_key_that_stands_twice_counts_twice() -> None:
    document = merged(
        '{"WakuConfig": {"TTL": 1}, "WAKUCONFIG": {"MaxMessageSize": 2},'
        ' "MaxPeers": 3, "maxpeers": 4}'
    )
    assert document["WakuConfig"]["TTL"] == 1
    assert document["WakuConfig"]["MaxMessageSize"] == 2
    assert document["MaxPeers"] == 4


def test_objects_merge_and_arrays_are_replaced() -> None:
    document = merged(
        '{"ClusterConfig": {"Fleet": "a", "StaticNodes": ["1", "2"]}}',
        '{"ClusterConfig": {"StaticNodes": ["3"]}}',
    )
    assert document["ClusterConfig"]["Fleet"] == "a"
    assert document["ClusterConfig"]["StaticNodes"] == ["3"]


def test_maps_gain_entries_and_an_entry_starts_anew() -> None:
    document = merged(
        '{"RequireTopics": {"b": {"Min": 1, "Max": 2}, "a": {"Min": 3}}}',
        '{"RequireTopics": {"b": {"Max": 5}, "c": null}}',
    )
    topics = NodeConfig.model_validate(document).model_dump(by_alias=True)["RequireTopics"]
    assert topics == {
        "a": {"Min": 3, "Max": 0},
        "b": {"Min": 0, "Max": 5},
        "c": {"Min": 0, "Max": 0},
    }


def test_null_empties_arrays_and_maps_and_leaves_the_rest_alone() -> None:
    document = merged(
        '{"HTTPVirtualHosts": null, "RequireTopics": null, "MaxPeers": null, "WakuConfig": null}'
    )
    assert document["HTTPVirtualHosts"] is None
    assert document["RequireTopics"] is None
    assert document["MaxPeers"] == BASE["MaxPeers"]
    assert document["WakuConfig"] == BASE["WakuConfig"]


def test_null_in_an_array_leaves_its_place_as_it_was() -> None:
    document = merged('{"HTTPVirtualHosts": [null, "b", null]}')
    assert document["HTTPVirtualHosts"] == ["localhost", "b", ""]


def test_null_forgets_what_only_the_operator_sets() -> None:
    document = merged('{"StatusFleet": {"Canary": "a"}}', '{"StatusFleet": null}')
    assert document["StatusFleet"] is None


def test_only_the_first_value_of_a_file_is_read() -> None:
    assert merged('{"MaxPeers": 1}{"MaxPeers": 2} and words')["MaxPeers"] == 1


def test_a_file_that_says_null_says_nothing() -> None:
    assert merged("null") == BASE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        (" \n", "the file is empty"),
        ('{"a":', "no JSON"),
        ('{"MaxPeers": 01}', "no JSON"),
        ('{"MaxPeers": NaN}', "no JSON: NaN is no JSON number"),
        ("{'MaxPeers': 1}", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"MaxPeers": ' + "1" * 5000 + "}", "no JSON"),
        ("[]", "want an object, got an array"),
        ("7", "want an object, got an integer"),
    ],
)
def test_what_is_no_json_object_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        merged(text)


def test_unknown_keys_are_named_by_their_path() -> None:
    text = '{"Nope": {"x": 1}, "WakuConfig": {"Nope": 1}, "RequireTopics": {"t": {"Mid": 1}}}'
    paths = gojson.merge(json.loads(json.dumps(BASE)), gojson.parse(text), NodeConfig)
    assert paths == ["Nope", "WakuConfig.Nope", "RequireTopics.t.Mid"]


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    with suppress(ConfigError):
        merged(text)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_KEYS = st.sampled_from([*BASE, *(key.lower() for key in BASE)])


@given(st.dictionaries(_KEYS, _JSON, max_size=4))
def test_any_json_gives_a_document_that_a_model_accepts_or_refuses(value: object) -> None:
    document = merged(json.dumps(value))
    assert set(document) == set(BASE)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (0.000002, "0.000002"),
        (0.00000123, "0.00000123"),
        (1e-7, "1e-7"),
        (1.5e-10, "1.5e-10"),
        (0.00012345, "0.00012345"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.2345678901234568e29, "1.2345678901234568e+29"),
        (-2.5, "-2.5"),
    ],
)
def test_floats_are_written_as_go_writes_them(number: float, text: str) -> None:
    assert gojson.dump(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_that_was_written_is_read_back_the_same(number: float) -> None:
    assert float(gojson.dump(number)) == number


def test_text_is_escaped_as_go_escapes_it() -> None:
    text = 'a<b>&"\\\b\f\n\r\t\x01é\u2028\x7f\\b'
    assert gojson.dump(text) == (
        '"a\\u003cb\\u003e\\u0026\\"\\\\\\u0008\\u000c\\n\\r\\t\\u0001é\\u2028\x7f\\\\b"'
    )


@given(st.text())
def test_text_that_was_written_is_read_back_the_same(text: str) -> None:
    assert json.loads(gojson.dump(text)) == text


def test_objects_and_arrays_are_indented_by_four_blanks() -> None:
    assert gojson.dump({"a": [1, True], "b": {}, "c": [], "d": {"e": None}}) == (
        '{\n    "a": [\n        1,\n        true\n    ],\n    "b": {},\n    "c": [],\n'
        '    "d": {\n        "e": null\n    }\n}'
    )


def test_halves_of_surrogate_pairs_are_replaced() -> None:
    assert merged('{"Name": "\\ud800x"}')["Name"] == "\ufffdx"
