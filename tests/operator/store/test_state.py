"""What is remembered, and the law that numbers only grow."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusfleet.api.tree import Embedded, Sink
from statusfleet.store import (
    ConflictError,
    CorruptStateError,
    Leave,
    SequenceError,
    State,
    TreeState,
    Underway,
)
from statusfleet.store.bundle import merged
from statusfleet.store.state import (
    LAYOUT,
    decode_shown,
    decode_state,
    decode_underway,
    encode_shown,
    encode_state,
    encode_underway,
    successor,
)
from statusfleet.tree.publication import Publication
from statusnode.records.enr import Record
from statusnode.records.tree import Tree
from support.fleet_observations import key_of


def record(seq: int, name: str = "relayer-0", port: int = 30303) -> str:
    return str(Record.sign(key_of(name), seq, ip="127.0.0.1", tcp=port))


def published(seq: int, *ports: int) -> Publication:
    nodes = [Record.sign(key_of(str(port)), 1, ip="127.0.0.1", tcp=port) for port in ports]
    return Publication(Tree.build(nodes, []).sign(key_of("tree"), "nodes.example.org", seq))


UPDATES = Sink.model_validate(
    {
        "rfc2136": {
            "server": "ns1.example.org:53",
            "zone": "example.org",
            "tsig": {"secretKeyRef": {"name": "tsig", "key": "secret"}, "algorithm": "hmac-sha512"},
        }
    }
)
FULL = State(
    fleet="eth-dev",
    revision=7,
    tree=TreeState(
        5,
        published(4, 1, 2).replaced_by(published(5, 1, 3).tree, now=1e9, root_ttl_seconds=5),
        {"1-2": 1e9},
        {UPDATES.name: UPDATES, "embedded": Sink(embedded=Embedded())},
    ),
    records={"relayer-0": record(3)},
    ports={"relayer-0/p2p": 30303},
    underway=Underway({"relayer-1": Leave(1e9, 1e9 + 300)}, ("relayer-0",)),
)


def test_a_state_is_read_back_as_it_was_written() -> None:
    layout, state = decode_state(encode_state(FULL), "state.json")
    assert (layout, state) == (LAYOUT, FULL)
    assert FULL.tree.publication is not None
    assert FULL.tree.publication.retired


@given(
    st.builds(
        State,
        fleet=st.text("abc", max_size=5),
        revision=st.integers(0, 2**40),
        tree=st.builds(TreeState, seq=st.integers(0, 2**64 - 1)),
        ports=st.dictionaries(st.text("abc/", max_size=5), st.integers(0, 65535), max_size=3),
    )
)
def test_every_state_is_read_back_as_it_was_written(state: State) -> None:
    assert decode_state(encode_state(state), "")[1] == state


def test_what_is_not_there_is_not_written_so_that_older_versions_read_the_rest() -> None:
    written = encode_state(State(fleet="eth-dev", revision=1))
    assert not any(word in written for word in (b"underway", b"shown"))


def test_what_is_under_way_is_read_back_and_damage_to_it_is_told_with_a_remedy() -> None:
    assert decode_underway(encode_underway(FULL.underway), "") == FULL.underway
    assert decode_underway("{}", "") == Underway()
    with pytest.raises(CorruptStateError, match=r"ConfigMap x is damaged: leaving.*they wait anew"):
        decode_underway('{"leaving": 3}', "ConfigMap x")


def test_a_newer_layout_is_not_read_further() -> None:
    assert decode_state(b'{"layout": 2, "anything": []}', "state.json") == (2, None)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "state.json is damaged: the file: Invalid JSON"),
        (b"[]", "state.json is damaged"),
        (b"{}", "names no layout"),
        (b'{"layout": true}', "names no layout"),
        (b'{"layout": 0}', "names no layout"),
        (b'{"layout": 1, "fleets": ""}', "damaged: fleets: "),
        (b'{"layout": 1, "revision": -1}', "damaged: revision: "),
        (b'{"layout": 1, "tree": {"seq": "5"}}', "damaged: tree.seq: "),
        (b'{"layout": 1, "ports": {"a": 70000}}', "damaged: ports.a: "),
        (encode_state(FULL).replace(b"enr:-", b"enr:_"), "damaged: tree.publication: "),
        (encode_state(FULL)[:-9], "Invalid JSON"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_damaged_state_is_refused_with_what_to_do(data: bytes, sentence: str) -> None:
    with pytest.raises(CorruptStateError, match=sentence):
        decode_state(data, "state.json")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_state_or_refused(data: bytes) -> None:
    try:
        decode_state(data, "state.json")
    except CorruptStateError:
        return


def test_each_write_counts() -> None:
    assert successor(FULL, FULL) == replace(FULL, revision=8)


@pytest.mark.parametrize("revision", [6, 8])
def test_who_read_another_revision_has_to_read_again(revision: int) -> None:
    with pytest.raises(ConflictError, match="at revision 7, the change was made at"):
        successor(FULL, replace(FULL, revision=revision))


def tree_state(seq: int, publication: Publication | None) -> State:
    return replace(FULL, tree=TreeState(seq, publication))


@pytest.mark.parametrize(
    "wish",
    [
        tree_state(6, FULL.tree.publication),
        tree_state(6, published(6, 1)),
        tree_state(5, None),
        replace(FULL, records={"relayer-0": record(4, port=1), "relayer-1": record(1)}),
        replace(FULL, ports={}),
    ],
)
def test_numbers_may_grow(wish: State) -> None:
    assert successor(FULL, wish).revision == 8


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        (tree_state(4, FULL.tree.publication), "would fall from 5 to 4"),
        (tree_state(5, published(5, 1)), "another root with number 5 would follow the one with 5"),
        (tree_state(6, published(4, 1)), "another root with number 4"),
        (replace(FULL, records={}), "the record of relayer-0 has number 3 and would be forgotten"),
        (replace(FULL, records={"relayer-0": record(2)}), "has number 3 and would become 2"),
        (replace(FULL, records={"relayer-0": record(3, port=1)}), "number 3 and would become 3"),
    ],
)
def test_numbers_never_fall_and_never_stand_for_two_things(wish: State, sentence: str) -> None:
    with pytest.raises(SequenceError, match=sentence):
        successor(FULL, wish)


def test_a_damaged_record_is_named() -> None:
    with pytest.raises(CorruptStateError, match="the record of relayer-0 is damaged"):
        State(records={"relayer-0": "enr:"}).record("relayer-0")
    assert State().record("relayer-0") is None


def test_a_state_of_before_sinks_were_remembered_is_read() -> None:
    text = encode_state(replace(FULL, tree=replace(FULL.tree, shown={})))
    assert b"shown" not in text
    _, state = decode_state(text, "state.json")
    assert state is not None
    assert state.tree.shown == {}


def test_sinks_are_read_back_as_they_were_written() -> None:
    text = encode_shown(FULL.tree.shown)
    assert decode_shown(text, "") == FULL.tree.shown
    with pytest.raises(CorruptStateError, match="ConfigMap eth-dev-state is damaged: its JSON"):
        decode_shown("{", "ConfigMap eth-dev-state")


def test_what_was_published_elsewhere_is_not_taken_for_ours() -> None:
    brought = replace(FULL, tree=replace(FULL.tree, seq=9))
    assert merged(State(fleet="eth-dev"), brought).tree == replace(brought.tree, shown={})
