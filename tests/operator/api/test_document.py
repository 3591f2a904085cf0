"""YAML, and what is refused of it."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusfleet.api.document import MAX_BYTES, DocumentError, read_documents

BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


def _value(text: str) -> object:
    (document,) = read_documents(text.encode())
    return document.value


def test_scalars_are_taken_as_kubernetes_takes_them() -> None:
    text = "a: 1\nb: 0x1F\nc: 2e-6\nd: 1:30\ne: 2020-01-01\nf: on\ng: '1'\nh: ~\ni: .inf\nj: 0o17"
    assert _value(text) == {
        "a": 1,
        "b": 31,
        "c": 2e-6,
        "d": "1:30",
        "e": "2020-01-01",
        "f": True,
        "g": "1",
        "h": None,
        "i": ".inf",
        "j": 15,
    }


def test_documents_are_parted_and_empty_ones_left_out() -> None:
    values = [
        document.value for document in read_documents(b"a: 1\n---\n---\n# nothing\n---\nb: 2")
    ]
    assert values == [{"a": 1}, {"b": 2}]


def test_each_part_knows_its_line() -> None:
    (document,) = read_documents(b"# one\na:\n  b: 1\n  c:\n  - x\n  - y: z\n")
    assert document.line(("a", "b")) == 3
    assert document.line(("a", "c", 1, "y")) == 6
    assert document.line(("a", "missing", "below")) == 2


def test_an_alias_repeats_what_its_anchor_holds() -> None:
    assert _value("a: &x {b: 1}\nc: *x") == {"a": {"b": 1}, "c": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("a: 1\nb: 2\na: 3", 3, 'the key "a" stands here a second time, first in line 1'),
        ("a: 1\nb: c: d", 2, "not valid YAML: "),
        ("a:\n\tb: 1", 2, "not valid YAML: "),
        ("a: \x01", 1, "a character that YAML does not allow"),
        ("a: !!python/object/apply:os.system [x]", 1, "the tag .* is not allowed here"),
        ("a: !secret x", 1, "the tag !secret is not allowed here"),
        ("a: &x [*x]", 1, "the alias \\*x has no anchor before it"),
        ("a: &x {b: 1}\nc:\n  <<: *x", 3, "merge keys"),
        ("? [a, b]\n: c", 1, "a key must be a plain text"),
        ("[" * 10_000, 1, "more than 50 levels deep"),
        ("- a\n" * 100_001, 100_000, "more than 100000 values"),
        (BOMB, 5, "more than 100000 values, aliases counted"),
        ("---\na\n" * 1001, 2001, "more than 1000 documents"),
        ("a" * (MAX_BYTES + 1), 0, "larger than 4 MiB"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_a_manifest_may_not_use_is_refused_with_its_line(
    text: str, line: int, sentence: str
) -> None:
    with pytest.raises(DocumentError, match=sentence) as refused:
        read_documents(text.encode())
    assert refused.value.line == line


def test_a_file_that_is_no_utf_8_is_refused() -> None:
    with pytest.raises(DocumentError, match="not UTF-8") as refused:
        read_documents(b"a: 1\nb: \xff")
    assert refused.value.line == 2


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], max_codepoint=0xD7FF)),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text("abc", min_size=1), inner),
    max_leaves=20,
)


@given(json_values)
def test_json_is_yaml_and_reads_back(value: object) -> None:
    found = [document.value for document in read_documents(json.dumps([value]).encode())]
    assert found == [[value]]


@given(st.binary(max_size=300) | st.text("ab:-[]{}&*!|>'\"#\n ,?%", max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(DocumentError):
        read_documents(data)
