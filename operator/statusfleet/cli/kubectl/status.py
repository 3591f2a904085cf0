"""`kubectl statusfleet status NAME`: one fleet on one screen."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Final

import typer

from statusfleet.cli.kubectl.cluster import Place, Remote, on_fleet, run

if TYPE_CHECKING:
    from statusfleet.cli.kubectl.lookout import Lookout
    from statusfleet.kube.kinds import JsonDict

_AGAIN_SECONDS: Final = 1.0
_AGES_SECONDS: Final = 1.0
"""How often ages are shown anew in a terminal; into a pipe only what has changed is written."""
_CLEAR: Final = "\x1b[H\x1b[2J"
"""What a terminal takes as: begin at the top, with nothing on the screen (ECMA-48)."""


@on_fleet
def status(
    place: Place,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it anew with every change, until Ctrl-C.")
    ] = False,
) -> None:
    """Show a fleet: roles, members, addresses, tree, and conditions with what helps.

    Says so where no operator is at work, if you may read its Lease.
    """
    run(place, _follow if watch else _show)


async def _show(fleet: Remote) -> None:
    from statusfleet.cli.kubectl.lookout import Lookout

    lookout = Lookout(fleet)
    body = await fleet.get()
    await lookout.settle()
    typer.echo(_text(body, lookout.lines(time.time())))


async def _follow(fleet: Remote) -> None:
    """Show a fleet until it is gone; a server that goes away is waited for."""
    from statusfleet.cli.kubectl.lookout import Lookout
    from statusfleet.kube import TransientError

    screen = _Screen(Lookout(fleet))
    await fleet.get()  # One that was never there is told of, one that goes is the end.
    while True:
        try:
            await _follow_one_connection(fleet, screen)
        except TransientError as error:
            typer.echo(f"{error}; trying again", err=True)
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            typer.echo(f"{fleet} is gone")
            return


async def _follow_one_connection(fleet: Remote, screen: _Screen) -> None:
    from statusfleet.kube.kinds import STATUS_FLEET

    async with aclosing(fleet.client.follow(STATUS_FLEET, fleet.namespace, fleet.name)) as states:
        coming = asyncio.create_task(_next(states))
        try:
            while True:
                await asyncio.wait([coming], timeout=_AGES_SECONDS)
                if coming.done():
                    body = coming.result()
                    if body is None:
                        return
                    screen.body = body
                    coming = asyncio.create_task(_next(states))
                await screen.look_out()
                screen.show()
        finally:
            coming.cancel()
            await asyncio.wait([coming])


async def _next(states: AsyncGenerator[JsonDict | None]) -> JsonDict | None:
    return await anext(states)


class _Screen:
    """What is shown of a fleet, and shown anew when it would read otherwise."""

    def __init__(self, lookout: Lookout) -> None:
        self.body: JsonDict | None = None
        self._lookout = lookout
        self._looked: float | None = None
        self._shown: object = None

    async def look_out(self) -> None:
        """Look whether an operator is at work, when it is time to."""
        from statusfleet.cli.kubectl.lookout import AGAIN_SECONDS

        now = time.monotonic()
        if self._looked is None or now - self._looked >= AGAIN_SECONDS:
            self._looked = now
            await self._lookout.look()

    def show(self) -> None:
        """Write the fleet, if there is anything new to tell."""
        if self.body is None:
            return
        silence = self._lookout.lines(time.time())
        text = _text(self.body, silence)
        on_terminal = sys.stdout.isatty()
        # Elsewhere time alone is no news: whoever reads would get a screen with every second.
        news: object = text if on_terminal else (self.body, bool(silence))
        if news == self._shown:
            return
        if on_terminal:
            typer.echo(_CLEAR, nl=False)
        elif self._shown is not None:
            typer.echo()
        typer.echo(text)
        self._shown = news


def _text(body: JsonDict, silence: tuple[str, ...]) -> str:
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
        return "\n".join(status_lines(body, found, time.time(), silence))
    terminal = shutil.get_terminal_size()
    size = Size(terminal.lines - 1, terminal.columns)  # the last row is the prompt's
    return "\n".join(fitting_lines(body, found, time.time(), size, silence))
