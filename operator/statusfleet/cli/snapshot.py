"""What a running `up` leaves for `status` to read: one file in the data folder, replaced whole.

It is only worth something while the folder is in use, and is removed at the end. It is not forced
to disk: after a power cut nobody needs it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from statusfleet.cli.picture import Picture
from statusfleet.worlds.processes.world import Detail

NAME: Final = "status.json"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A picture with its numbers."""

    picture: Picture
    details: Mapping[str, Detail]


_ADAPTER: Final = TypeAdapter(Snapshot)


class SnapshotWriter:
    """Keeps the file up to date."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._last: Snapshot | None = None

    def write(self, snapshot: Snapshot) -> None:
        """Make the file show this, unless it does.

        Raises:
            OSError: the folder cannot be written.
        """
        if snapshot == self._last:
            return
        neighbour = self._path.with_name(f".{NAME}.new")
        descriptor = os.open(neighbour, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_ADAPTER.dump_json(snapshot))
        neighbour.replace(self._path)
        self._last = snapshot

    def remove(self) -> None:
        """Take the file away: the fleet has stopped."""
        self._path.unlink(missing_ok=True)


def read(folder: Path) -> Snapshot | None:
    """Return what the file shows; None where there is none, or one of another version.

    Raises:
        OSError: it cannot be read.
    """
    try:
        return _ADAPTER.validate_json((folder / NAME).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
