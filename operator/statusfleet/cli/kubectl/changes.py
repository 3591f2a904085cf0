"""`restart`, `pause` and `resume`: words in a StatusFleet that its operator acts on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from statusfleet.cli.kubectl.cluster import CommandError, Place, Remote, on_fleet, parse, run

if TYPE_CHECKING:
    from statusfleet.api.fleet import StatusFleet
    from statusfleet.kube.kinds import JsonDict

MANAGER: Final = "kubectl-statusfleet"
"""By which name the API server remembers who set what: not by the operator's."""


@on_fleet
def restart(
    place: Place,
    member: Annotated[
        str,
        typer.Argument(
            metavar="[MEMBER]", help="Such as relayer-0.", show_default="all, one by one"
        ),
    ] = "",
) -> None:
    """Have members started anew, as spec.rollout says, by what this operator would run.

    Keys, addresses and archives stay.
    """

    async def work(remote: Remote) -> StatusFleet:
        body = await remote.get()
        _refuse_if_going(remote, body)
        fleet = parse(body)
        await _patch(remote, restart_patch(fleet, member, datetime.now(UTC)))
        return fleet

    fleet = run(place, work)
    who = member or "every member"
    typer.echo(f"{who} of {place.name} is to be started anew, as spec.rollout says")
    if fleet.spec.paused:
        hint = f"kubectl statusfleet resume {place.name}"
        typer.echo(f"nothing happens while {place.name} is paused: {hint}", err=True)


@on_fleet
def pause(place: Place) -> None:
    """Have the operator observe and report, and change nothing."""
    _set_paused(place, paused=True)


@on_fleet
def resume(place: Place) -> None:
    """Have the operator go on with a fleet that was paused."""
    _set_paused(place, paused=False)


def _set_paused(place: Place, *, paused: bool) -> None:
    async def work(remote: Remote) -> bool:
        body = await remote.get()
        _refuse_if_going(remote, body)
        spec = body.get("spec") or {}
        if bool(spec.get("paused")) == paused:
            return False
        await _patch(remote, {"spec": {"paused": paused}})
        return True

    changed = run(place, work)
    is_now, was = ("paused", "paused already") if paused else ("not paused", "not paused before")
    typer.echo(f"{place.name} is {is_now}" if changed else f"{place.name} was {was}")


def _refuse_if_going(remote: Remote, body: JsonDict) -> None:
    """Raise CommandError for a fleet that was deleted: its operator only takes it away."""
    if body["metadata"].get("deletionTimestamp"):
        how = f"kubectl statusfleet status {remote.name} -n {remote.namespace}"
        raise CommandError(f"{remote} is being deleted, and does nothing else any more: {how}")


async def _patch(remote: Remote, patch: dict[str, Any]) -> None:
    from statusfleet.kube.kinds import STATUS_FLEET

    await remote.client.patch(
        STATUS_FLEET, remote.namespace, remote.name, patch, field_manager=MANAGER
    )


def restart_patch(fleet: StatusFleet, member: str, now: datetime) -> dict[str, Any]:
    """Return what asks the operator to start a member, or ("") all of them, anew. Pure.

    Raises:
        CommandError: the fleet has no such member.
    """
    from statusfleet.plan import desired_members
    from statusfleet.worlds.kubernetes.names import RESTART

    names = [one.name for one in desired_members(fleet.spec)]
    if member and member not in names:
        raise CommandError(f"{fleet.name} has no member {member}: {_some(names)}")
    key = f"{RESTART}.{member}" if member else RESTART
    # Any value that was not there before asks; a time also tells when.
    return {"metadata": {"annotations": {key: now.isoformat(timespec="milliseconds")}}}


def _some(names: Sequence[str], most: int = 12) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{rest}"
