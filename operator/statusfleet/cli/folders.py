"""Which data folder a command means.

`up` keeps a fleet in `.statusfleet/NAME` below the working folder; the other commands look there
too. With one fleet in there, or one that runs, nobody has to name it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import typer

from statusfleet.store import FolderReader

_HOME: Final = Path(".statusfleet")


def default_folder(fleet: str) -> Path:
    """Return where `up` keeps a fleet of that name."""
    return _HOME / fleet


def find_folder(data: Path | None) -> FolderReader:
    """Return the folder that the user named, or the only one that can be meant.

    Raises:
        typer.Exit: there is none, or several.
    """
    if data is not None:
        return FolderReader(data)
    found = [FolderReader(path) for path in sorted(_HOME.glob("*")) if (path / "lock").exists()]
    running = [reader for reader in found if reader.holder() is not None]
    candidates = running if len(running) == 1 else found
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        names = ", ".join(str(reader.path) for reader in candidates)
        typer.echo(f"error: there are several fleets here; name one with --data: {names}", err=True)
    else:
        text = f"error: there is no fleet in {_HOME.absolute()}; name its folder with --data"
        typer.echo(text, err=True)
    raise typer.Exit(1)
