"""What a change does to the parts of a fleet, in words that both `diff` commands use. Pure.

Values are never told, only which setting moves, since some are secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import JsonValue

from statusnode.config.changes import LIVE_PATHS

_MOST_NAMED: Final = 8


class Effect(StrEnum):
    """What happens to a part of the fleet."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    RELOAD = "reload"
    PUBLISH = "publish"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that would be done, and why."""

    effect: Effect
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a member that differ, by their paths."""

    live: tuple[str, ...]
    """Those that a running node takes up."""
    restart: tuple[str, ...]
    """Those that it reads once, when it starts."""

    @property
    def effect(self) -> Effect | None:
        """What becomes of the member; None where nothing differs."""
        if self.restart:
            return Effect.RESTART
        return Effect.RELOAD if self.live else None

    @property
    def why(self) -> str:
        """The settings that decide, in words."""
        shown = self.restart or self.live
        more = f" and {len(shown) - _MOST_NAMED} more" if len(shown) > _MOST_NAMED else ""
        return f"changes {', '.join(shown[:_MOST_NAMED])}{more}"


def changed_settings(before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]) -> Settings:
    """Return what differs between two configurations of a node."""
    paths = [".".join(path) for path in _changed(before, after, ())]
    return Settings(
        live=tuple(path for path in paths if path in LIVE_PATHS),
        restart=tuple(path for path in paths if path not in LIVE_PATHS),
    )


def _changed(
    before: JsonValue | Mapping[str, JsonValue],
    after: JsonValue | Mapping[str, JsonValue],
    path: tuple[str, ...],
) -> Iterator[tuple[str, ...]]:
    """Yield the path of each setting that differs, objects looked into."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _changed(before.get(key), after.get(key), (*path, key))
    elif before != after:
        yield path
