"""`statusfleet uninstall`: what becomes of fleets when the operator goes. Run by the chart's hook.

Deleting needs the operator, which takes each fleet away as its spec says. Keeping needs that there
is none: our finalizer goes, so that nothing hangs on it later, and an operator would put it back.
So this takes the Lease first, by which operators know that they do not lead.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from statusfleet.kube import KubeClient
    from statusfleet.kube.kinds import JsonDict

_POLL_SECONDS: Final = 1.0


def uninstall(
    *,
    delete: Annotated[
        bool,
        typer.Option("--delete/--keep", help="Delete fleets, and wait for it; or let them go on."),
    ],
    namespace: Annotated[
        list[str] | None,
        typer.Option("--namespace", "-n", metavar="NAME", help="Only its fleets; may be repeated."),
    ] = None,
    lease_namespace: Annotated[
        str, typer.Option("--lease-namespace", metavar="NAME", help="Where the Lease stands.")
    ] = "",
    kubeconfig: Annotated[str, typer.Option(metavar="FILE", help="Way to the cluster.")] = "",
) -> None:
    """Delete all fleets, or let them go on without an operator."""
    from statusfleet.kube import KubeError

    try:
        asyncio.run(_uninstall(delete, namespace or [""], lease_namespace, kubeconfig))
    except KubeError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error


async def _uninstall(
    delete: bool, namespaces: Sequence[str], lease_namespace: str, kubeconfig: str
) -> None:
    from statusfleet.kube import KubeClient

    async with await KubeClient.connect(kubeconfig) as client:
        if delete:
            await _delete(client, namespaces)
        else:
            await _keep(client, namespaces, lease_namespace or client.namespace)


async def _delete(client: KubeClient, namespaces: Sequence[str]) -> None:
    from statusfleet.kube.kinds import STATUS_FLEET

    told: list[str] = []
    while fleets := await _fleets(client, namespaces):
        for fleet in fleets:
            metadata = fleet["metadata"]
            if "deletionTimestamp" not in metadata:
                await client.delete(STATUS_FLEET, metadata["namespace"], metadata["name"])
        left = [_name(fleet) for fleet in fleets]
        if left != told:
            typer.echo(f"waiting for the end of {', '.join(left)}")
            told = left
        await asyncio.sleep(_POLL_SECONDS)
    typer.echo("no fleet is left")


async def _keep(client: KubeClient, namespaces: Sequence[str], lease_namespace: str) -> None:
    from statusfleet.kube.errors import NotFoundError
    from statusfleet.kube.kinds import STATUS_FLEET
    from statusfleet.kube.lease import Leadership
    from statusfleet.kube.names import FINALIZER

    leadership = Leadership(client, lease_namespace, f"{socket.gethostname()}_uninstall")
    typer.echo(f"waiting until no operator leads by the Lease of namespace {lease_namespace}")
    await leadership.acquire()
    async with asyncio.TaskGroup() as group:
        renewing = group.create_task(leadership.keep())
        for fleet in await _fleets(client, namespaces):
            metadata = fleet["metadata"]
            held = metadata.get("finalizers") or []
            if FINALIZER not in held:
                continue
            patch = {
                "resourceVersion": metadata["resourceVersion"],
                "finalizers": [one for one in held if one != FINALIZER],
            }
            try:
                await client.patch(
                    STATUS_FLEET, metadata["namespace"], metadata["name"], {"metadata": patch}
                )
            except NotFoundError:
                continue
            typer.echo(f"{_name(fleet)} goes on by itself")
        renewing.cancel()
    await leadership.release()


async def _fleets(client: KubeClient, namespaces: Sequence[str]) -> list[JsonDict]:
    """Return all fleets; none where their kind is not known any more."""
    from statusfleet.kube.errors import NotFoundError
    from statusfleet.kube.kinds import STATUS_FLEET

    try:
        return [
            fleet
            for namespace in namespaces
            for fleet in await client.list(STATUS_FLEET, namespace, metadata_only=True)
        ]
    except NotFoundError:
        return []


def _name(fleet: JsonDict) -> str:
    return "{namespace}/{name}".format_map(fleet["metadata"])
