"""Identities as a file: read back as written, sealed as age does it, and never shown."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from statusfleet.store import (
    CorruptStateError,
    Leave,
    NewerVersionError,
    State,
    TreeState,
    Underway,
)
from statusfleet.store.bundle import Bundle, decode_bundle, encode_bundle, merged
from statusfleet.store.sealing import (
    SealError,
    open_with_identities,
    open_with_passphrase,
    seal_for_passphrase,
    seal_for_recipients,
)
from statusfleet.tree.publication import Publication
from statusnode.records.enr import Record
from statusnode.records.tree import Tree
from support.fleet_observations import key_of

RECIPIENT = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa"
IDENTITY = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33"
"""A published pair of the age project: it protects nothing."""


def record(seq: int, port: int = 30303) -> Record:
    return Record.sign(key_of("relayer-0"), seq, ip="192.0.2.1", tcp=port)


def published(seq: int) -> TreeState:
    tree = Tree.build([record(seq)], []).sign(key_of("tree"), "nodes.example.org", seq)
    return TreeState(seq, Publication(tree))


BUNDLE = Bundle(
    "eth-dev",
    {"relayer-0": key_of("relayer-0"), "tree": key_of("tree")},
    State("eth-dev", 7, published(4), {"relayer-0": str(record(4))}, {"a": 1}),
)


def test_a_bundle_is_read_back_as_it_was_written() -> None:
    found = decode_bundle(encode_bundle(BUNDLE))
    assert (found.fleet, found.state) == (BUNDLE.fleet, BUNDLE.state)
    assert {n: k.data for n, k in found.keys.items()} == {n: k.data for n, k in BUNDLE.keys.items()}
    assert key_of("tree").data.hex() not in repr(BUNDLE)


def test_what_is_under_way_stays_where_it_is() -> None:
    underway = Underway({"relayer-1": Leave(1e9, 1e9 + 300)}, ("relayer-0",))
    busy = replace(BUNDLE, state=replace(BUNDLE.state, underway=underway))
    assert decode_bundle(encode_bundle(busy)).state == BUNDLE.state
    assert merged(busy.state, BUNDLE.state).underway == underway


def test_a_damaged_bundle_is_refused_without_showing_a_key() -> None:
    document = json.loads(encode_bundle(BUNDLE))
    secret = document["keys"]["relayer-0"]
    wrong = [
        b"",
        b"[]",
        json.dumps(document | {"keys": {"relayer-0": secret + "0"}}).encode(),
        json.dumps(document | {"keys": {"relayer-0": [secret]}}).encode(),
        json.dumps(document | {"keys": secret}).encode(),
        json.dumps(document | {"kind": secret}).encode(),
        json.dumps(document | {"state": {}}).encode(),
        json.dumps(document | {secret: 1}).encode()[:-3],
    ]
    for data in wrong:
        with pytest.raises(CorruptStateError, match="the file of identities is") as refused:
            decode_bundle(data)
        assert secret not in str(refused.value)


@pytest.mark.parametrize("change", [{"layout": 2}, {"state": {"layout": 9}}])
def test_a_newer_bundle_is_refused(change: dict[str, object]) -> None:
    document = json.loads(encode_bundle(BUNDLE))
    with pytest.raises(NewerVersionError, match="newer statusfleet"):
        decode_bundle(json.dumps(document | change).encode())


def test_of_two_memories_the_higher_numbers_are_kept() -> None:
    old = State("eth-dev", 3, published(4), {"relayer-0": str(record(9))}, {"a": 1})
    new = State("eth-dev", 8, published(6), {"relayer-0": str(record(5))}, {"a": 2, "b": 3})
    found = merged(old, new)
    assert (found.revision, found.tree) == (3, new.tree)
    assert found.records == old.records
    assert found.ports == {"a": 1, "b": 3}
    assert merged(found, new) == found
    assert merged(State(), new) == replace(new, fleet="", revision=0)


def test_what_is_sealed_opens_for_its_recipients_alone() -> None:
    sealed = seal_for_recipients(b"hello", [RECIPIENT])
    assert sealed.startswith(b"-----BEGIN AGE ENCRYPTED FILE-----")
    assert open_with_identities(sealed, f"# mine\n\n{IDENTITY}\n") == b"hello"
    with pytest.raises(SealError, match="cannot be opened with these identities"):
        open_with_identities(seal_for_passphrase(b"hello", "word"), IDENTITY)
    with pytest.raises(SealError, match="line 2 is no age identity") as refused:
        open_with_identities(sealed, f"{IDENTITY}\n{IDENTITY}0")
    assert IDENTITY not in str(refused.value)
    with pytest.raises(SealError, match="age1x is no age recipient"):
        seal_for_recipients(b"hello", ["age1x"])


def test_a_passphrase_opens_what_it_sealed_alone() -> None:
    sealed = seal_for_passphrase(b"hello", "correct horse")
    assert open_with_passphrase(sealed, "correct horse") == b"hello"
    with pytest.raises(SealError, match="cannot be opened with this passphrase"):
        open_with_passphrase(sealed, "wrong horse")
    with pytest.raises(SealError):
        open_with_passphrase(sealed[:100], "correct horse")


def test_the_age_program_opens_it_too(tmp_path: Path) -> None:
    age = shutil.which("age")
    if age is None:
        pytest.skip("needs age: Debian package age")
    (tmp_path / "key").write_text(IDENTITY)
    (tmp_path / "sealed").write_bytes(seal_for_recipients(b"hello", [RECIPIENT]))
    command = [age, "--decrypt", "--identity", str(tmp_path / "key"), str(tmp_path / "sealed")]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"hello"
