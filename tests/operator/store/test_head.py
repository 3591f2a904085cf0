"""The head of a fleet's memory in a cluster: the state without its long texts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from statusfleet.store import CorruptStateError, NewerVersionError, State, TreeState
from statusfleet.store.head import decode_head, encode_head, head_of, state_of, texts_of
from statusfleet.tree.publication import Publication
from statusnode.records.enr import Record
from statusnode.records.tree import Tree
from support.fleet_observations import key_of


def record(port: int, seq: int = 1) -> Record:
    return Record.sign(key_of(str(port)), seq, ip="127.0.0.1", tcp=port)


def published(seq: int, *ports: int) -> Publication:
    nodes = [record(port) for port in ports]
    return Publication(Tree.build(nodes, []).sign(key_of("tree"), "nodes.example.org", seq))


FULL = State(
    fleet="eth-dev",
    revision=7,
    tree=TreeState(
        5,
        published(4, 1, 2).replaced_by(published(5, 1, 3).tree, now=1e9, root_ttl_seconds=5),
        {"1-2": 1e9},
    ),
    # One stands in the tree as well, one does not.
    records={"relayer-0": str(record(1)), "relayer-1": str(record(9, seq=4))},
    ports={"relayer-0/p2p": 30303},
)


@pytest.mark.parametrize("state", [FULL, State(fleet="eth-dev", revision=1)])
def test_a_state_is_read_back_as_it_was_written(state: State) -> None:
    texts = texts_of(state)
    head = decode_head(encode_head(head_of(state, ["a-1"], texts)), "it")
    assert head.shards == ("a-1",)
    assert set(head.texts) == set(texts.values())
    assert state_of(head, texts, "it") == state


def test_each_text_is_kept_once() -> None:
    texts = texts_of(FULL)
    assert len(texts) == len(set(texts.values()))
    written = encode_head(head_of(FULL, [], texts))
    assert written.count(str(record(1))) == 1


def test_texts_in_shards_leave_the_head_small() -> None:
    head = encode_head(head_of(FULL, ["a-1"], {}))
    assert "enr:" not in head
    assert "enrtree-branch" not in head
    assert len(head) < 1500


def test_a_missing_text_is_told() -> None:
    texts = texts_of(FULL)
    head = head_of(FULL, [], texts)
    for label in texts:
        rest = {k: v for k, v in texts.items() if k != label}
        with pytest.raises(CorruptStateError, match=r"it is damaged: .*missing"):
            state_of(head, rest, "it")


def test_a_root_of_another_key_is_told() -> None:
    other = Publication(Tree.build([record(1)], []).sign(key_of("x"), "nodes.example.org", 9))
    head = replace(head_of(FULL, [], {}), root=str(other.tree.root))
    with pytest.raises(CorruptStateError, match="not signed by the key"):
        state_of(head, texts_of(FULL), "it")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"fleet": "a", "revision": -1}'])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(CorruptStateError, match=r"it is damaged: .*not replaced"):
        decode_head(text, "it")


def test_a_newer_layout_is_refused() -> None:
    with pytest.raises(NewerVersionError, match="it has layout 9 of a newer statusfleet"):
        decode_head(json.dumps({"layout": 9, "anything": True}), "it")
