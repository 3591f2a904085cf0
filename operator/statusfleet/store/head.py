"""The one changing object of a fleet's memory in a cluster: numbers, the root, and where texts are.

The state of `state.py` with its long texts taken out, each in its place by its label. Pure: from
state to texts and back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, ClassVar, Final

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from statusfleet.store.errors import CorruptStateError, NewerVersionError
from statusfleet.store.state import State, TreeState
from statusfleet.store.texts import Texts
from statusfleet.tree.publication import Publication
from statusnode.records.tree import Link, TreeError, label_of

LAYOUT: Final = 1
"""Version of what is written; a head of a higher one is refused."""


@dataclass(frozen=True, slots=True)
class Head:
    """The object as JSON. `root` is the signed root of the tree at `url`; both "" without one."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    fleet: str
    revision: Annotated[int, Field(ge=0)]
    layout: int = LAYOUT
    seq: int = 0
    url: str = ""
    root: str = ""
    withdrawn: Mapping[str, float] = field(default_factory=dict)
    retired: Mapping[str, float] = field(default_factory=dict)
    """Until when (Unix seconds) which entry outlives the root that named it."""
    records: Mapping[str, str] = field(default_factory=dict)
    """Label of the last signed record of each member."""
    ports: Mapping[str, int] = field(default_factory=dict)
    shards: tuple[str, ...] = ()
    """Names of the objects with further texts."""
    texts: tuple[str, ...] = ()


_HEAD: TypeAdapter[Head] = TypeAdapter(Head)
_DOCUMENT: TypeAdapter[dict[str, object]] = TypeAdapter(dict[str, object])


def texts_of(state: State) -> dict[str, str]:
    """Return every long text of a state by its label."""
    texts = {label_of(text): text for text in state.records.values()}
    if state.tree.publication is not None:
        texts |= {label: entry.text for label, entry in state.tree.publication.retired.items()}
        texts |= state.tree.publication.tree.tree.entries
    return texts


def head_of(state: State, shards: Iterable[str], loose: Texts) -> Head:
    """Return the head of a state whose texts stand in `shards` and, the rest, in `loose`."""
    publication = state.tree.publication
    return Head(
        fleet=state.fleet,
        revision=state.revision,
        seq=state.tree.seq,
        url=publication.tree.url if publication else "",
        root=str(publication.tree.root) if publication else "",
        withdrawn=state.tree.withdrawn,
        retired={label: r.until for label, r in publication.retired.items()} if publication else {},
        records={member: label_of(text) for member, text in state.records.items()},
        ports=state.ports,
        shards=tuple(shards),
        texts=tuple(loose.values()),
    )


def state_of(head: Head, texts: Texts, source: str) -> State:
    """Return the state that a head and all texts stand for; signature and hashes are checked.

    Raises:
        CorruptStateError: a text is missing, or the tree does not hold together.
    """
    try:
        records = {member: texts[label] for member, label in head.records.items()}
        publication = None
        if head.url:
            domain = Link.parse(head.url).domain
            publication = Publication.load(
                {
                    "url": head.url,
                    "records": {f"{label}.{domain}": text for label, text in texts.items()}
                    | {domain: head.root},
                    "retired": [
                        {"text": texts[label], "until": until}
                        for label, until in head.retired.items()
                    ],
                }
            )
    except KeyError as error:
        raise _corrupt(source, f"the text {error} is missing") from error
    except TreeError as error:
        raise _corrupt(source, str(error)) from error
    tree = TreeState(head.seq, publication, head.withdrawn)
    return State(head.fleet, head.revision, tree, records, head.ports)


def encode_head(head: Head) -> str:
    """Return the head as JSON that a person can read; empty parts are left out."""
    present = {f.name for f in fields(head) if getattr(head, f.name) not in ("", (), {})}
    return _HEAD.dump_json(head, include=present | {"revision"}, indent=2).decode() + "\n"


def decode_head(text: str, source: str) -> Head:
    """Read a head.

    Raises:
        NewerVersionError: a newer version wrote it.
        CorruptStateError: it is no head.
    """
    try:
        layout = _DOCUMENT.validate_json(text).get("layout", LAYOUT)
        if isinstance(layout, int) and layout > LAYOUT:
            raise NewerVersionError(source, layout, LAYOUT)
        return _HEAD.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "its JSON"
        raise _corrupt(source, f"{where}: {first['msg']}") from error


def _corrupt(source: str, what: str) -> CorruptStateError:
    return CorruptStateError(
        f"{source} is damaged: {what}; it holds sequence numbers that must never fall, so it is "
        "not replaced: bring it back from a copy"
    )
