"""`kubectl statusfleet logs NAME [ROLE]`: what a fleet's pods have written, each line with its pod.

Pods are found once, when the command begins; one that is made later is not followed.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from statusfleet.cli.kubectl.cluster import CommandError, Place, Remote, on_fleet, run

if TYPE_CHECKING:
    from statusfleet.cli.kubectl.sources import Source

_MOST_FOLLOWED: Final = 64
"""Each is a connection to the API server that stays open."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What to read of each pod."""

    what: str
    follow: bool
    previous: bool
    tail: int | None


@on_fleet
def logs(
    place: Place,
    what: Annotated[
        str,
        typer.Argument(
            metavar="[ROLE]",
            help="A role such as relayer, a member such as relayer-0, canary, or dns.",
            show_default="all members",
        ),
    ] = "",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")
    ] = False,
    previous: Annotated[
        bool, typer.Option("--previous", "-p", help="Of the containers that ran before these.")
    ] = False,
    tail: Annotated[
        int | None,
        typer.Option("--tail", min=0, metavar="N", help="Only the last lines.", show_default="all"),
    ] = None,
) -> None:
    """Print what members have written, each line with the member's name before it.

    Exits with 1 if a pod's log cannot be read.
    """
    reading = Reading(what, follow, previous, tail)
    whole = run(place, lambda fleet: _print(fleet, reading))
    if not whole:
        raise typer.Exit(1)


async def _print(fleet: Remote, reading: Reading) -> bool:
    from statusfleet.cli.kubectl.sources import selector, sources_of
    from statusfleet.kube.kinds import POD

    await fleet.get()
    labels = selector(fleet.name, reading.what)
    pods = await fleet.client.list(POD, fleet.namespace, labels=labels)
    sources = sources_of(pods)
    if not sources:
        raise CommandError(f"{fleet} has no pods of {reading.what or 'any member'}")
    if reading.follow and len(sources) > _MOST_FOLLOWED:
        raise CommandError(
            f"{len(sources)} pods are more than the {_MOST_FOLLOWED} that are followed at once: "
            "name a role or a member"
        )
    width = max(len(source.called) for source in sources)
    if not reading.follow:
        return all([await _copy(fleet, source, reading, width) for source in sources])
    async with asyncio.TaskGroup() as tasks:
        copies = [tasks.create_task(_copy(fleet, one, reading, width)) for one in sources]
    return all(copy.result() for copy in copies)


async def _copy(fleet: Remote, source: Source, reading: Reading, width: int) -> bool:
    """Print one pod's lines; tell whether they could be read."""
    from statusfleet.kube import AnswerError

    lines = fleet.client.logs(
        fleet.namespace,
        source.pod,
        container=source.container,
        tail_lines=reading.tail,
        previous=reading.previous,
        follow=reading.follow,
    )
    try:
        async with aclosing(lines):
            async for line in lines:
                typer.echo(f"{source.called:{width}}  {line}")
    except AnswerError as error:
        typer.echo(f"{source.called:{width}}  error: {error.message}", err=True)
        return False
    return True
