"""`statusfleet logs MEMBER`: what a member, or the canary, has written."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

_LOOK_SECONDS: Final = 0.2
_CHUNK: Final = 1 << 16


def logs(
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="Such as relayer-0; or: canary.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", file_okay=False, help="The fleet's data folder."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")
    ] = False,
) -> None:
    """Print the log of one member."""
    from statusfleet.cli.folders import find_folder
    from statusfleet.store import StoreError
    from statusfleet.worlds.processes.world import LOG_NAME

    reader = find_folder(data)
    try:
        canary = member == "canary"
        folder = reader.path if canary else reader.member_folder(member)
    except StoreError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    path = folder / ("canary.log" if canary else LOG_NAME)
    if not path.exists():
        typer.echo(f"error: {member} has written no log in {reader.path}", err=True)
        raise typer.Exit(1)
    try:
        for chunk in read_chunks(path, follow=follow):
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def read_chunks(path: Path, *, follow: bool) -> Iterator[bytes]:
    """Yield a file's content; following, also what is added, and anew from the start of one that
    was emptied because it had grown too large.
    """
    position = 0
    while True:
        with path.open("rb") as file:
            if path.stat().st_size < position:
                position = 0
            file.seek(position)
            while chunk := file.read(_CHUNK):
                position += len(chunk)
                yield chunk
        if not follow:
            return
        time.sleep(_LOOK_SECONDS)
