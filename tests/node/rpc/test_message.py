"""Requests from JSON and answers to it.

A call and its answer on the wire:

    {"jsonrpc":"2.0","id":1,"method":"web3_sha3","params":["0x"]}
    {"jsonrpc":"2.0","id":1,"result":"0xc5d2…"}\n
"""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.rpc import message
from statusnode.rpc.errors import MethodNotFoundError, ParseError, RpcError
from statusnode.rpc.message import BadRequest, Request, parse
from statusnode.rpc.values import Number


@pytest.mark.parametrize(
    ("document", "incoming"),
    [
        (b"", None),
        (b" \n", None),
        (b'{"id":1,"method":"a_b","params":[1]}', Request("a_b", [Number("1")], "1")),
        (b'{"ID":1,"METHOD":"a_b"}', Request("a_b", None, "1")),
        (b'{"method":"a_b","params":null}', Request("a_b", None, None)),
        (b'{"id":null,"method":"a_b"}', Request("a_b", None, "null")),
        (b'{"id":1.50,"method":"a_b"}', Request("a_b", None, "1.50")),
        (b'{"id":"x","method":"a_b"} trailing', Request("a_b", None, '"x"')),
        (b'{"id":"\\ud800","method":"\\ud800"}', Request("\ufffd", None, '"\ufffd"')),
        (b'{"id":"\xff","method":"a"}', Request("a", None, '"\ufffd"')),
        (b'{"id":{},"method":"a_b"}', BadRequest()),
        (b'{"id":1,"method":5}', BadRequest("1")),
        (b"[]", BadRequest(reason="empty batch")),
        (b"3", BadRequest()),
        (b"null", BadRequest()),
        (b'{"id":1,"result":5}', None),
        (b'{"id":1,"error":{}}', None),
        (b'{"method":"a_subscription"}', None),
        (b'{"id":1,"method":"a_subscription"}', Request("a_subscription", None, "1")),
        (b'[1,{"method":"m"}]', [BadRequest(), Request("m", None, None)]),
    ],
)
def test_documents_are_read(document: bytes, incoming: object) -> None:
    assert parse(document) == incoming


@pytest.mark.parametrize(
    "document",
    [b"{", b"{'a':1}", b'{"id":01}', b"[NaN]", b"[Infinity]", b"\xef\xbb\xbf{}", b"[" * 100_000],
    ids=["cut", "quotes", "leading zero", "NaN", "Infinity", "byte order mark", "too deep"],
)
def test_what_is_no_json_is_a_parse_error(document: bytes) -> None:
    with pytest.raises(ParseError):
        parse(document)


def test_a_batch_has_a_bound() -> None:
    incoming = parse(b"[" + b"1," * 1000 + b"1]")

    assert incoming == BadRequest(reason="a batch has at most 1000 requests")


def test_numbers_of_any_length_are_kept_as_written() -> None:
    digits = "9" * 10_000

    assert parse(f'{{"id":{digits},"method":"m"}}'.encode()) == Request("m", None, digits)


def test_answers_are_written_as_go_does() -> None:
    assert message.result("1", {"a": [1, 2.0, 0.5, None, True]}) == (
        '{"jsonrpc":"2.0","id":1,"result":{"a":[1,2,0.5,null,true]}}'
    )
    assert message.result("1", "<&>\u2028é") == (
        '{"jsonrpc":"2.0","id":1,"result":"\\u003c\\u0026\\u003e\\u2028é"}'
    )
    assert message.failure("null", MethodNotFoundError("x")) == (
        '{"jsonrpc":"2.0","id":null,"error":{"code":-32601,'
        '"message":"the method x does not exist/is not available"}}'
    )
    assert json.loads(message.failure("1", ValueError("why")))["error"]["code"] == RpcError.code
    assert message.notification("waku", "0x1", 5) == (
        b'{"jsonrpc":"2.0","method":"waku_subscription",'
        b'"params":{"subscription":"0x1","result":5}}\n'
    )


def test_an_infinite_proof_of_work_is_still_json() -> None:
    assert json.loads(message.to_json([float("inf"), float("-inf")])) == [
        1.7976931348623157e308,
        -1.7976931348623157e308,
    ]


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(document: bytes) -> None:
    with contextlib.suppress(ParseError):
        parse(document)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda items: st.lists(items, max_size=3) | st.dictionaries(st.text(), items, max_size=3),
    max_leaves=10,
)


@given(request_id=plain, method=st.text(min_size=1), params=plain)
def test_whatever_is_asked_is_answered_in_json_under_its_id(
    request_id: object, method: str, params: object
) -> None:
    document = json.dumps({"id": request_id, "method": method, "params": params}).encode()
    incoming = parse(document)

    if isinstance(request_id, dict | list):
        assert incoming == BadRequest()
        return
    assert isinstance(incoming, Request)
    assert incoming.method == method
    answer = json.loads(message.result(incoming.raw_id or "", None))
    assert answer["id"] == request_id
