"""`kubectl statusfleet status NAME`: one fleet on one screen."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Final

import typer

from statusfleet.cli.kubectl.cluster import Place, Remote, on_fleet, run

if TYPE_CHECKING:
    from statusfleet.kube.kinds import JsonDict

_AGAIN_SECONDS: Final = 1.0
_CLEAR: Final = "\x1b[H\x1b[2J"
"""What a terminal takes as: begin at the top, with nothing on the screen (ECMA-48)."""


@on_fleet
def status(
    place: Place,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it anew with every change, until Ctrl-C.")
    ] = False,
) -> None:
    """Show a fleet: roles, members, addresses, tree, and conditions with what helps."""
    run(place, _follow if watch else _show)


async def _show(fleet: Remote) -> None:
    typer.echo(_text(await fleet.get()))


async def _follow(fleet: Remote) -> None:
    """Show a fleet until it is gone; a server that goes away is waited for."""
    from statusfleet.kube import TransientError

    shown = ""
    await fleet.get()  # One that was never there is told of, one that goes is the end.
    while True:
        try:
            shown = await _follow_one_connection(fleet, shown)
        except TransientError as error:
            typer.echo(f"{error}; trying again", err=True)
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            typer.echo(f"{fleet} is gone")
            return


async def _follow_one_connection(fleet: Remote, shown: str) -> str:
    from statusfleet.kube.kinds import STATUS_FLEET

    async with aclosing(fleet.client.follow(STATUS_FLEET, fleet.namespace, fleet.name)) as states:
        async for body in states:
            if body is None:
                return shown
            text = _text(body)
            if text == shown:
                continue
            if sys.stdout.isatty():
                typer.echo(_CLEAR, nl=False)
            elif shown:
                typer.echo()
            typer.echo(text)
            shown = text
    return shown


def _text(body: JsonDict) -> str:
    from pydantic import ValidationError

    from statusfleet.api.status import FleetStatus
    from statusfleet.cli.kubectl.cluster import CommandError
    from statusfleet.cli.kubectl.screen import Size, fitting_lines, status_lines

    try:
        found = FleetStatus.model_validate(body.get("status") or {})
    except ValidationError as error:
        raise CommandError(
            f"the status is of another version of the operator: {error.errors()[0]['msg']}"
        ) from error
    if not sys.stdout.isatty():
        return "\n".join(status_lines(body, found, time.time()))
    terminal = shutil.get_terminal_size()
    size = Size(terminal.lines - 1, terminal.columns)  # the last row is the prompt's
    return "\n".join(fitting_lines(body, found, time.time(), size))
