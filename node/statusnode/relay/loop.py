"""The little of an event loop that the relay needs, so that its tests can run in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """Something that will happen unless it is cancelled."""

    def cancel(self) -> None: ...


class Loop(Protocol):
    """What every asyncio event loop has."""

    def time(self) -> float:
        """Monotonic seconds."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object], /) -> Timer: ...

    def call_soon(self, callback: Callable[[], object], /) -> Timer: ...
