"""`statusfleet validate FILE…`: everything that is wrong with manifests, and nothing else.

Exit codes: 0 all are valid, 1 something is wrong, 2 wrong usage (a file that is not there).
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from statusfleet.api import Manifest, ManifestError, Problem, load_manifests


class Output(StrEnum):
    """How the result is written."""

    TEXT = "text"
    JSON = "json"


def validate(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="Manifests to check."),
    ],
    output: Annotated[
        Output, typer.Option("--output", "-o", help="Write lines for people, or JSON.")
    ] = Output.TEXT,
) -> None:
    """Check manifests without starting anything; print every error with its field."""
    manifests: list[Manifest] = []
    problems: list[Problem] = []
    for file in files:
        try:
            manifests += load_manifests(file)
        except ManifestError as error:
            problems += error.problems
    if output is Output.JSON:
        found = [{"file": p.file, "path": p.path, "message": p.message} for p in problems]
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        for problem in problems:
            typer.echo(str(problem), err=True)
        for manifest in manifests:
            typer.echo(f"{manifest.file}: fleet {manifest.fleet.name} is valid")
    if problems:
        raise typer.Exit(1)
