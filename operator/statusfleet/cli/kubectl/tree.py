"""`kubectl statusfleet tree NAME`: the published tree, as the operator keeps it.

Asks the cluster, not the DNS; what the DNS answers is shown by `statusfleet tree show URL`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import typer

from statusfleet.cli.kubectl.cluster import CommandError, Place, Remote, on_fleet, parse, run
from statusfleet.cli.kubectl.columns import columns

if TYPE_CHECKING:
    from statusfleet.api.status import FleetStatus, TreeStatus
    from statusfleet.store import State
    from statusnode.records.tree import SignedTree


@on_fleet
def tree(place: Place) -> None:
    """Show a fleet's tree: root, sinks, links, and the record of each member in it."""
    run(place, _show)


async def _show(remote: Remote) -> None:
    from statusfleet.store.kubernetes import KubernetesReader

    fleet = parse(await remote.get())
    if fleet.spec.tree is None:
        raise CommandError(f"{remote} has no tree: spec.tree is not set")
    state = await KubernetesReader(remote.client, remote.namespace, remote.name).read()
    if state.tree.publication is None:
        raise CommandError(f"{remote} has published no tree yet: no member has been ready")
    told = fleet.status.tree if fleet.status is not None else None
    if fleet.status is not None and _is_withdrawn(fleet.status):
        typer.echo("taken back from every sink, as the fleet is being deleted; it was", err=True)
    for line in tree_lines(state.tree.publication.tree, members_by_id(state), told):
        typer.echo(line)


def _is_withdrawn(status: FleetStatus) -> bool:
    """Tell whether no sink shows the tree any more, since the fleet was deleted."""
    from statusfleet.api.status import ConditionType
    from statusfleet.reconcile.reasons import Reason

    withdrawn = (ConditionType.TREE_PUBLISHED, Reason.DELETING)
    return any((one.type, one.reason) == withdrawn for one in status.conditions)


def members_by_id(state: State) -> Mapping[bytes, str]:
    """Return the members' names by the ids of their nodes.

    Raises:
        CorruptStateError: a record is damaged.
    """
    found = ((name, state.record(name)) for name in state.records)
    return {record.node_id: name for name, record in found if record is not None}


def tree_lines(
    signed: SignedTree, members: Mapping[bytes, str], told: TreeStatus | None
) -> Iterator[str]:
    """Yield the lines that show a tree; `told` is what the status says of its sinks. Pure."""
    from statusfleet.cli.kubectl.screen import sink_lines

    yield signed.url
    yield f"seq {signed.seq}, {len(signed.tree.nodes)} nodes"
    yield f"root {signed.root}"
    for link in signed.tree.links:
        yield f"links to {link}"
    if told is not None:
        yield ""
        yield from sink_lines(told)
    rows = []
    for record in signed.tree.nodes:
        enode, node_id = record.enode(), record.node_id
        name = members.get(node_id, "")
        rows.append((name, node_id.hex()[:16], enode.host, enode.tcp, enode.udp or "", record.seq))
    yield ""
    yield from columns(("MEMBER", "NODE", "ADDRESS", "TCP", "UDP", "SEQ"), sorted(rows))
    yield ""
    yield f"what the DNS answers: statusfleet tree show {signed.url}"
