"""What a fleet must remember besides its keys: sequence numbers, the published tree, ports.

One value, written as a whole by compare-and-swap on its `revision`, so that a writer that was
stopped and wakes up late loses instead of turning time back. `successor` is the law that every
store applies: sequence numbers only grow, and what was once signed is not forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    PlainValidator,
    TypeAdapter,
    ValidationError,
)

from statusfleet.api.tree import Sink
from statusfleet.store.errors import ConflictError, CorruptStateError, SequenceError
from statusfleet.tree.publication import Publication
from statusnode.records.enr import MAX_SEQ, Record, RecordError

LAYOUT = 1
"""Version of what is written; a folder of a higher one is refused."""

_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
_Publication = Annotated[
    Publication,
    PlainValidator(Publication.load),
    PlainSerializer(Publication.dump, return_type=dict[str, JsonValue]),
]
_Sink = Annotated[
    Sink,
    PlainSerializer(
        lambda sink: sink.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        return_type=dict[str, JsonValue],
    ),
]
Shown = Mapping[str, _Sink]
"""Sinks by their name in status, each as the spec says it: what is needed to reach it again, and of
Secrets the name alone."""
_Part = TypeVar("_Part")
_Seq = Annotated[int, Field(ge=0, le=MAX_SEQ)]
_Port = Annotated[int, Field(ge=0, le=65535)]


@dataclass(frozen=True, slots=True)
class TreeState:
    """The tree as it was last signed. `seq` outlives its domain and its entries."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    seq: _Seq = 0
    """The highest number ever signed, or about to be: it is kept before the tree is."""
    publication: _Publication | None = None
    """What sinks hold: the tree, and what is left of earlier ones."""
    withdrawn: Mapping[str, float] = field(default_factory=dict)
    """Since when (Unix seconds) no sink shows it, by the uid of the deleted fleet; else empty."""
    shown: Shown = field(default_factory=dict)
    """The sinks that may show it, those too that the spec names no more: kept before the first
    write to a sink, and until it is withdrawn there."""


@dataclass(frozen=True, slots=True)
class Leave:
    """A dropped member's wait until readers have forgotten it: its begin and end, Unix seconds."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    since: float
    until: float


@dataclass(frozen=True, slots=True)
class RootTtl:
    """For how long readers keep a root: its TTL, and what is left of an earlier, longer one."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    seconds: Annotated[int, Field(ge=0)] = 0
    """The longest TTL that a sink may give; 0 where nobody knows."""
    since: float = 0.0
    """When the last sink gave up a longer one (Unix seconds), 0 where that is over."""
    until: float = 0.0
    """Until when readers may hold a root by that (Unix seconds)."""

    def kept_seconds(self, wanted: int, *, now: float) -> float:
        """Return for how long a root may be kept that a reader got by now.

        `wanted` is the TTL that the spec says. A clock that was put back makes it no longer.
        """
        earlier = min(self.until - now, self.until - self.since)
        return max(wanted, self.seconds, earlier)

    def before(self, wanted: int) -> RootTtl:
        """Return what holds from before the first sink gives `wanted` on."""
        return replace(self, seconds=wanted) if wanted > self.seconds else self

    def after(self, wanted: int, *, now: float) -> RootTtl:
        """Return what holds since `now`, where every sink gives `wanted`."""
        if wanted >= self.seconds:
            return self
        return RootTtl(wanted, now, now + self.kept_seconds(wanted, now=now))


@dataclass(frozen=True, slots=True)
class Underway:
    """What has begun and takes its time: whoever is started anew goes on with it."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    leaving: Mapping[str, Leave] = field(default_factory=dict)
    """By name the dropped members that no tree shows any more, and that still run."""
    renewed: tuple[str, ...] = ()
    """The members that a rollout has started anew and that have not been ready since."""
    root_ttl: RootTtl = RootTtl()
    """For how long readers keep the tree's root."""


@dataclass(frozen=True, slots=True)
class State:
    """Everything remembered but keys. `revision` counts the writes; 0 means none yet."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    fleet: str = ""
    """Name of the fleet that the state belongs to."""
    revision: Annotated[int, Field(ge=0)] = 0
    tree: TreeState = TreeState()
    records: Mapping[str, str] = field(default_factory=dict)
    """Last signed record of each member by name, `enr:…`, also of members that are gone."""
    ports: Mapping[str, _Port] = field(default_factory=dict)
    """Ports that were chosen and are kept, by a name of the world's own, such as relayer-0/rpc."""
    underway: Underway = Underway()

    def record(self, member: str) -> Record | None:
        """Return the last signed record of a member.

        Raises:
            CorruptStateError: the text is no record.
        """
        text = self.records.get(member)
        if text is None:
            return None
        try:
            return Record.parse(text)
        except RecordError as error:
            raise CorruptStateError(f"the record of {member} is damaged: {error}") from error


_ADAPTER = TypeAdapter(State)
_SHOWN: TypeAdapter[Shown] = TypeAdapter(Shown)
_UNDERWAY: TypeAdapter[Underway] = TypeAdapter(Underway)


def successor(present: State, wish: State) -> State:
    """Return `wish` as the state after `present`, with the next revision.

    Raises:
        ConflictError: `wish` was made from another state than `present`.
        SequenceError: a sequence number would fall, or a signed record be forgotten.
    """
    if wish.revision != present.revision:
        raise ConflictError(
            f"the state is at revision {present.revision}, the change was made at {wish.revision}"
        )
    if wish.tree.seq < present.tree.seq:
        raise SequenceError(
            f"the tree's sequence number would fall from {present.tree.seq} to {wish.tree.seq}"
        )
    _check_root(present.tree.publication, wish.tree.publication)
    for member, text in present.records.items():
        if wish.records.get(member) == text:
            continue
        before, after = present.record(member), wish.record(member)
        if before is not None and (after is None or after.seq <= before.seq):
            found = "be forgotten" if after is None else f"become {after.seq}"
            raise SequenceError(f"the record of {member} has number {before.seq} and would {found}")
    return replace(wish, revision=present.revision + 1)


def _check_root(present: Publication | None, wish: Publication | None) -> None:
    """Refuse a root that readers of the present one would take for an older or for the same."""
    if present is None or wish is None or wish.tree.root == present.tree.root:
        return
    old, new = present.tree.seq, wish.tree.seq
    if new <= old:
        raise SequenceError(f"another root with number {new} would follow the one with {old}")


def encode_state(state: State) -> bytes:
    """Return the state as JSON, readable by people, with the layout's version in front."""
    # What is not there is left out: versions that do not know of it read the rest.
    absent: dict[str, Any] = {} if state.tree.shown else {"tree": {"shown"}}
    absent |= {} if state.underway != Underway() else {"underway": True}
    body = _ADAPTER.dump_json(state, indent=2, exclude=absent)
    return b'{\n  "layout": %d,' % LAYOUT + body[1:] + b"\n"


def encode_shown(shown: Shown) -> str:
    """Return the sinks as JSON, readable by people."""
    return _SHOWN.dump_json(shown, indent=2).decode() + "\n"


def decode_shown(text: str, source: str) -> Shown:
    """Read what `encode_shown` gave.

    Raises:
        CorruptStateError: it is no such JSON; the message names `source`.
    """
    what = (
        "it names the sinks that show the tree: mend it, or take that key out and remove by hand "
        "what sinks show that the spec does not name any more"
    )
    return _decoded(_SHOWN, text, source, what)


def encode_underway(underway: Underway) -> str:
    """Return what is under way as JSON, readable by people."""
    return _UNDERWAY.dump_json(underway, indent=2).decode() + "\n"


def decode_underway(text: str, source: str) -> Underway:
    """Read what `encode_underway` gave.

    Raises:
        CorruptStateError: it is no such JSON; the message names `source`.
    """
    what = "it tells since when members leave: mend it, or take that key out, and they wait anew"
    return _decoded(_UNDERWAY, text, source, what)


def _decoded(adapter: TypeAdapter[_Part], text: str, source: str, what: str) -> _Part:
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "its JSON"
        raise CorruptStateError(f"{source} is damaged: {where}: {first['msg']}; {what}") from error


def decode_state(data: bytes, source: str) -> tuple[int, State | None]:
    """Read JSON: the layout, and the state if the layout is this one's.

    Raises:
        CorruptStateError: it is no such JSON; the message names `source`.
    """
    try:
        document = _DOCUMENT.validate_json(data)
        layout = document.pop("layout", None)
        if not isinstance(layout, int) or isinstance(layout, bool) or layout < 1:
            raise CorruptStateError(f"{source} is no state of a fleet: it names no layout")
        if layout > LAYOUT:
            return layout, None
        return layout, _ADAPTER.validate_json(_DOCUMENT.dump_json(document))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise CorruptStateError(
            f"{source} is damaged: {where}: {first['msg']}; it holds sequence numbers that must "
            "never fall, so it is not replaced: bring it back from a copy"
        ) from error


_DOCUMENT: TypeAdapter[dict[str, object]] = TypeAdapter(dict[str, object])
