"""The command `statusfleet`.

Exit codes of every command: 0 done, 1 failed or invalid, 2 wrong usage, 3 the data folder is in
use. What a command needs beyond its options is imported when it runs, so that `--help` and
completion are quick.
"""

from __future__ import annotations

from typing import Annotated

import typer

from statusfleet.cli.crd import crd
from statusfleet.cli.diff import diff
from statusfleet.cli.dns import dns
from statusfleet.cli.identities import app as identities
from statusfleet.cli.logs import logs
from statusfleet.cli.operator import operator
from statusfleet.cli.status import status
from statusfleet.cli.tree import app as tree
from statusfleet.cli.uninstall import uninstall
from statusfleet.cli.up import up
from statusfleet.cli.validate import validate

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",  # paragraphs are filled anew, and `names` stand out
    help="Run fleets of Status nodes.",
    pretty_exceptions_show_locals=False,  # locals may hold keys
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import statusnode

        typer.echo(f"statusfleet {statusnode.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    """Run fleets of Status nodes."""


app.command()(up)
app.command()(status)
app.command()(logs)
app.command()(diff)
app.command()(validate)
app.command()(crd)
app.command(hidden=True)(dns)
app.command()(operator)
app.command(hidden=True)(uninstall)
app.add_typer(identities, name="identities")
app.add_typer(tree, name="tree")


def main() -> None:
    """Run the command line."""
    app(prog_name="statusfleet")


if __name__ == "__main__":
    main()
