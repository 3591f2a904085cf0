"""Edits that the API server refuses: what cannot change while a fleet exists, or not be run yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from support.field_edits import ROLES, Refusal, nested
from support.field_edits_of_pods import one

_KEY = {"name": "old", "key": "hex"}


def refusals() -> Iterator[Refusal]:
    """Yield the edits that no fleet takes."""
    yield from _of_trees()
    for role in ROLES:
        yield from _of_a_role(role)
    yield Refusal(
        tuple(f"roles.mailserver.database.postgresql.secretKeyRef.{part}" for part in _KEY),
        one("mailserver"),
        nested("roles.mailserver.database.postgresql.secretKeyRef", _KEY),
        "mailservers cannot use PostgreSQL in this version yet; leave it out for SQLite",
    )
    for role, what in (("bootstrap", "bootstrap nodes"), ("rendezvous", "rendezvous servers")):
        yield Refusal(
            (f"roles.{role}.",),  # and with it all that such a member would have
            one("relayer"),
            nested(f"roles.{role}.replicas", 1),
            f"{what} cannot be run by this version yet; leave the role out",
        )


def _of_trees() -> Iterator[Refusal]:
    reference = {"secretKeyRef": _KEY}
    tree = {**one("relayer"), "tree": {"domain": "nodes.one.example", "signingKey": reference}}
    yield Refusal(
        ("tree.domain",),
        tree,
        nested("tree.domain", "nodes.two.example"),
        "cannot change while the fleet exists, since readers know the tree by it",
    )
    for part in _KEY:
        yield Refusal(
            (f"tree.signingKey.secretKeyRef.{part}",),
            tree,
            nested(f"tree.signingKey.secretKeyRef.{part}", "other"),
            "cannot change while the fleet exists, since readers know the tree by its key",
        )


def _of_a_role(role: str) -> Iterator[Refusal]:
    members = f"roles.{role}.members"
    for part in _KEY:
        yield Refusal(
            (f"{members}[].nodeKeySecret.{part}",),
            one(role, members=[{"ordinal": 0, "nodeKeySecret": _KEY}]),
            nested(members, [{"ordinal": 0, "nodeKeySecret": {**_KEY, part: "other"}}]),
            "cannot change, since a member is known by its key; give the key to another ordinal",
        )
    volume = {"size": "64Mi", "storageClassName": "standard"}
    changes: tuple[tuple[str, Any, str], ...] = (
        ("size", "32Mi", "a volume may grow, never shrink"),
        ("storageClassName", "other", "cannot change for volumes that exist"),
    )
    for field, value, sentence in changes:
        path = f"roles.{role}.storage.{field}"
        yield Refusal((path,), one(role, storage=volume), nested(path, value), sentence)
    protocols = {
        "waku": "must be true, since this version speaks no other protocol than Waku yet",
        "whisper": "must be false, since this version does not speak Whisper yet",
        "bridge": "must be false, since this version cannot bridge Whisper and Waku yet",
    }
    for name, sentence in protocols.items():
        path = f"roles.{role}.protocols.{name}"
        yield Refusal((path,), one(role), nested(path, name != "waku"), sentence)
