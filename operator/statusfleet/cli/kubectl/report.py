"""`kubectl statusfleet report NAME`: all that a bug report needs in one file, without secrets."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from statusfleet.cli.kubectl.cluster import Place, Remote, on_fleet, run


@on_fleet
def report(
    place: Place,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            dir_okay=False,
            help="The zip to write; one that is there is left alone.",
            show_default="NAME-report-TIME.zip",
        ),
    ] = None,
    operator_namespace: Annotated[
        str,
        typer.Option(
            "--operator-namespace",
            metavar="NAME",
            help="Where the operator runs.",
            show_default="found by its labels",
        ),
    ] = "",
) -> None:
    """Write a zip for a bug report: objects, events, logs, tree, versions, and no secrets.

    Of Secrets it holds names, keys and sizes. Their values are struck out wherever they stand, in
    logs too, and so is what looks like a key or a password. Read it before you send it: addresses
    of members and nodes are in it.
    """
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    path = output or Path(f"{place.name}-report-{moment}.zip")

    async def work(remote: Remote) -> tuple[int, list[str]]:
        await remote.get()  # No file for a fleet that is not there.
        return await _write(remote, operator_namespace, path)

    try:
        count, notes = run(place, work, interrupted=130)
    except FileExistsError as error:
        typer.echo(f"error: {path} is there already, and is left alone", err=True)
        raise typer.Exit(1) from error
    except OSError as error:
        typer.echo(f"error: {path} cannot be written: {error.strerror}", err=True)
        raise typer.Exit(1) from error
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    size = path.stat().st_size
    typer.echo(f"{path}: {count} files, {size / 1024:.0f} KiB, secrets struck out")


async def _write(remote: Remote, operator_namespace: str, path: Path) -> tuple[int, list[str]]:
    """Write the zip, and leave none that is half of one."""
    from statusfleet.cli.kubectl.gathering import Gathering

    gathering = Gathering(remote, operator_namespace)
    count = 0
    with (
        _whole_or_none(path) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        async with aclosing(gathering.files()) as files:
            async for name, text in files:
                archive.writestr(f"{remote.name}/{name}", text)
                count += 1
    return count, gathering.notes


@contextmanager
def _whole_or_none(path: Path) -> Iterator[BinaryIO]:
    """Make a file that only its owner may read; it is gone if it does not become whole."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise
