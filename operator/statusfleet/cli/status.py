"""`statusfleet status`: a look at the fleet that runs in a data folder."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from statusfleet.cli.screens import Output

_WIDER_THAN_ANY_LINE: Final = 10_000


def status(
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", file_okay=False, help="The fleet's data folder."),
    ] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="A table, or JSON.")] = (
        Output.TABLE
    ),
) -> None:
    """Show the fleet that `up` runs in a data folder. Exits with 1 if none runs there."""
    from statusfleet.cli import snapshot
    from statusfleet.cli.folders import find_folder
    from statusfleet.cli.table import fleet_table

    reader = find_folder(data)
    holder = reader.holder()
    shown = snapshot.read(reader.path) if holder is not None else None
    if shown is None:
        why = "no fleet runs" if holder is None else f"process {holder} has only just started"
        typer.echo(f"{why} in {reader.path}", err=True)
        raise typer.Exit(1)
    if output is Output.JSON:
        numbers = {name: asdict(detail) for name, detail in shown.details.items()}
        document = {**shown.picture.to_json(), "pid": holder, "numbers": numbers}
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    if sys.stdout.isatty():
        Console().print(fleet_table(shown.picture, shown.details))
        return
    text = Console(width=_WIDER_THAN_ANY_LINE, color_system=None)
    text.print(fleet_table(shown.picture, shown.details, whole_lines=True))
