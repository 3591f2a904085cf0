"""`statusfleet crd`: the CustomResourceDefinition and the manifest's reference, from the models."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from statusfleet.api.crd import crd_yaml
from statusfleet.api.reference import reference


class Form(StrEnum):
    """What is printed."""

    YAML = "yaml"
    MARKDOWN = "markdown"


def crd(
    output: Annotated[
        Form,
        typer.Option("--output", "-o", help="The definition, or the manifest's reference."),
    ] = Form.YAML,
) -> None:
    """Print the CustomResourceDefinition of StatusFleet, or the manifest's reference."""
    typer.echo(crd_yaml() if output is Form.YAML else reference(), nl=False)
