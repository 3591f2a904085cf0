"""Garbage collections that never look at everything at once, since nothing else runs meanwhile.

Python's collector now and then looks at each object there is. Of two hundred fleets that took
0.2 s of processor time, and on a machine with ten times the work it can do, four seconds; the Lease
is lost after ten. Hence what has survived one look is not looked at again: a look is at what is new
since the last. References keep freeing nearly all that is let go. Circles that were seen once and
are let go later, such as a deleted fleet's task, wait for a sweep, which looks at everything: once
an hour, and sooner where twice as much has gathered as the last one left.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NoReturn

LOOK_SECONDS: Final = 60.0
LOOKS: Final = 60
"""After so many looks at how much has gathered there is a sweep, whatever they have found."""
_MUCH: Final = 2
_OLDEST: Final = 2
"""The generation of a collection that looks at all objects, but for those set aside."""


@contextmanager
def in_pieces() -> Iterator[None]:
    """Set aside what survives a full collection, for as long as the context lasts."""
    gc.callbacks.append(_set_aside)
    try:
        gc.collect()  # above all what imports have left
        yield
    finally:
        gc.callbacks.remove(_set_aside)
        gc.unfreeze()


async def sweep_on(look_seconds: float = LOOK_SECONDS, looks: int = LOOKS) -> NoReturn:
    """Look at everything now and then, until cancelled."""
    while True:
        left = gc.get_freeze_count()
        for _ in range(looks):
            await asyncio.sleep(look_seconds)
            if gc.get_freeze_count() >= _MUCH * left:
                break
        gc.unfreeze()
        gc.collect()


def _set_aside(phase: str, info: Mapping[str, Any]) -> None:
    if phase == "stop" and info["generation"] == _OLDEST:
        gc.freeze()
