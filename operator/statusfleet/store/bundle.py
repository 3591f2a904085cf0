"""A fleet's identities and numbers as one value, to be carried to another cluster or kept safe.

JSON, with every key in clear: it is written to disk only sealed (`sealing.py`). Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr, ValidationError

from statusfleet.store.errors import CorruptStateError, NewerVersionError
from statusfleet.store.state import State, Underway, decode_state, encode_state
from statusnode.crypto.keys import KeyFormatError, PrivateKey

LAYOUT: Final = 1
_SOURCE: Final = "the file of identities"


@dataclass(frozen=True, slots=True)
class Bundle:
    """Who a fleet is: `keys` by member's name, `tree` and `canary`, and what it must remember."""

    fleet: str
    keys: Mapping[str, PrivateKey] = field(repr=False)
    state: State


class _Document(BaseModel):
    """The JSON."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    kind: Literal["statusfleet-identities"] = "statusfleet-identities"
    layout: Annotated[int, Field(ge=1)] = LAYOUT
    fleet: str
    keys: dict[str, SecretStr]
    state: dict[str, JsonValue]


def encode_bundle(bundle: Bundle) -> bytes:
    """Return what `decode_bundle` reads; it holds keys in clear.

    What is under way is a matter of the place where it is.
    """
    state = replace(bundle.state, underway=Underway())
    document = {
        "kind": "statusfleet-identities",
        "layout": LAYOUT,
        "fleet": bundle.fleet,
        "keys": {name: key.data.hex() for name, key in sorted(bundle.keys.items())},
        "state": json.loads(encode_state(state)),
    }
    return json.dumps(document, indent=2).encode()


def decode_bundle(data: bytes) -> Bundle:
    """Read a bundle.

    Raises:
        NewerVersionError: a newer version wrote it.
        CorruptStateError: it is none; no key is shown.
    """
    try:
        document = _Document.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "its JSON"
        raise CorruptStateError(f"{_SOURCE} is damaged: {where}: {first['msg']}") from None
    if document.layout > LAYOUT:
        raise NewerVersionError(_SOURCE, document.layout, LAYOUT)
    keys = {}
    for name, text in document.keys.items():
        try:
            keys[name] = PrivateKey.from_hex(text.get_secret_value())
        except KeyFormatError:
            raise CorruptStateError(f"{_SOURCE} is damaged: keys.{name} is no key") from None
    layout, state = decode_state(json.dumps(document.state).encode(), _SOURCE)
    if state is None:
        raise NewerVersionError(_SOURCE, layout, LAYOUT)
    return Bundle(document.fleet, keys, state)


def merged(present: State, brought: State) -> State:
    """Return `present` with the higher number of each, and what goes with it."""
    records = dict(present.records)
    for member, text in brought.records.items():
        before, after = present.record(member), brought.record(member)
        if before is None or (after is not None and after.seq > before.seq):
            records[member] = text
    tree = brought.tree if brought.tree.seq > present.tree.seq else present.tree
    # Whoever published elsewhere takes it away there.
    tree = replace(tree, shown=present.tree.shown)
    ports = {**brought.ports, **present.ports}
    return replace(present, tree=tree, records=records, ports=ports)
