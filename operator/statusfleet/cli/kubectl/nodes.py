"""`kubectl statusfleet nodes NAME`: all members of a fleet, for other programs."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from statusfleet.cli.kubectl.cluster import Place, Remote, on_fleet, parse, run
from statusfleet.cli.kubectl.formats import Format

if TYPE_CHECKING:
    from statusfleet.api.fleet import StatusFleet
    from statusfleet.cli.kubectl.directory import Node
    from statusnode.records.enr import Record


@on_fleet
def nodes(
    place: Place,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="enode and enr: a line a node; fleets-json: what the Status apps read; "
            "cluster-config: a part of statusd's configuration.",
        ),
    ] = Format.ENODE,
) -> None:
    """Write a fleet's nodes, all of them, in a form that other programs read.

    A node without an address cannot be in it; how many those are is told on standard error.
    """
    from statusfleet.cli.kubectl.directory import write

    fleet, found = run(place, read_nodes)
    missing = [node.name for node in found if not node.enode]
    if missing:
        typer.echo(f"without an address yet: {', '.join(missing)}", err=True)
    text = write(
        found,
        form,
        fleet=fleet.fleet_name,
        datacenter=fleet.spec.datacenter or "",
        choose=secrets.randbelow,
    )
    if text:
        typer.echo(text)


async def read_nodes(remote: Remote) -> tuple[StatusFleet, tuple[Node, ...]]:
    """Return a fleet and all its nodes.

    Raises:
        CommandError: there is no such fleet, or it cannot be understood.
        KubeError: the cluster does not answer.
        StoreError: what the operator keeps cannot be understood.
    """
    from statusfleet.cli.kubectl.directory import nodes_of
    from statusfleet.plan import desired_members

    fleet = parse(await remote.get())
    rows = {row.name for row in fleet.status.members} if fleet.status is not None else set()
    names = [member.name for member in desired_members(fleet.spec) if member.name not in rows]
    # Few fleets have more members than their status has room for.
    records = await _records(remote, names) if names else {}
    return fleet, nodes_of(fleet, records)


async def _records(remote: Remote, names: list[str]) -> dict[str, Record]:
    """Return the records that the operator last signed for members; raises StoreError."""
    from statusfleet.store.kubernetes import KubernetesReader

    state = await KubernetesReader(remote.client, remote.namespace, remote.name).read()
    found = ((name, state.record(name)) for name in names)
    return {name: record for name, record in found if record is not None}
