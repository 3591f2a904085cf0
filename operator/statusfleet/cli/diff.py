"""`statusfleet diff FILE`: what `up` would change."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from statusfleet.cli.screens import Output


def diff(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The manifest.")
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            file_okay=False,
            help="The fleet's data folder.",
            show_default=".statusfleet/NAME",
        ),
    ] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="Lines, or JSON.")] = (
        Output.TABLE
    ),
) -> None:
    """Tell what `up FILE` would change, and change nothing. Works while the fleet runs, too."""
    from statusfleet.api import ManifestError
    from statusfleet.cli.differences import differences
    from statusfleet.cli.folders import default_folder
    from statusfleet.cli.running import load
    from statusfleet.store import FolderReader, StoreError

    try:
        manifest = load(file)
        folder = FolderReader(data or default_folder(manifest.fleet.name))
        found = differences(manifest, folder)
    except (ManifestError, StoreError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if output is Output.JSON:
        typer.echo(json.dumps([asdict(difference) for difference in found], indent=2))
    elif not found:
        typer.echo("nothing would change")
    else:
        for difference in found:
            typer.echo(f"{difference.effect:8} {difference.what}: {difference.why}")
