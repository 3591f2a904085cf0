"""The command `kubectl-statusfleet`, which kubectl runs as `kubectl statusfleet`.

Exit codes of every command but `diff`, which has those of kubectl diff: 0 done, 1 failed, 2 wrong
usage. What a command needs beyond its options is imported when it runs, so that `--help` and
completion are quick.
"""

from __future__ import annotations

from typing import Annotated

import typer

from statusfleet.cli.kubectl.canary import canary
from statusfleet.cli.kubectl.changes import pause, restart, resume
from statusfleet.cli.kubectl.diff import diff
from statusfleet.cli.kubectl.logs import logs
from statusfleet.cli.kubectl.nodes import nodes
from statusfleet.cli.kubectl.report import report
from statusfleet.cli.kubectl.status import status
from statusfleet.cli.kubectl.tree import tree
from statusfleet.cli.kubectl.writing import writing

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",  # paragraphs are filled anew
    help="Look at fleets of Status nodes in a cluster, and tell their operator what to do.",
    pretty_exceptions_show_locals=False,  # locals may hold what only the cluster should
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import statusnode

        typer.echo(f"kubectl-statusfleet {statusnode.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Print it."),
    ] = False,
) -> None:
    """Look at fleets of Status nodes in a cluster, and tell their operator what to do."""


app.command()(status)
app.command()(tree)
app.command()(logs)
app.command()(nodes)
app.command()(diff)
app.command()(canary)
app.command()(restart)
app.command()(pause)
app.command()(resume)
app.command()(report)


def main() -> None:
    """Run the command line."""
    with writing():
        app(prog_name="kubectl statusfleet")


if __name__ == "__main__":
    main()
