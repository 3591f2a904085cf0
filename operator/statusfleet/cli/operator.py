"""`statusfleet operator`: look after the fleets of a cluster."""

from __future__ import annotations

import asyncio
import logging
from enum import StrEnum
from typing import Annotated

import typer

FAILED = 1


class DialFrom(StrEnum):
    """From where members behind load balancers are dialed."""

    OPERATOR = "operator"
    MEMBER_NODE = "member-node"


def operator(
    image: Annotated[
        str,
        typer.Option(
            "--image",
            envvar="STATUSFLEET_IMAGE",
            metavar="REF",
            help="This operator's own image, with tag or digest; members run it by default.",
        ),
    ],
    kubeconfig: Annotated[
        str,
        typer.Option(
            "--kubeconfig",
            metavar="FILE",
            help="Way to the cluster.",
            show_default="KUBECONFIG, the pod's service account, ~/.kube/config",
        ),
    ] = "",
    context: Annotated[
        str, typer.Option("--context", metavar="NAME", help="Context of the kubeconfig.")
    ] = "",
    namespace: Annotated[
        list[str] | None,
        typer.Option(
            "--namespace",
            "-n",
            metavar="NAME",
            help="Look after the fleets of this namespace only; may be repeated.",
            show_default="all namespaces",
        ),
    ] = None,
    lease_namespace: Annotated[
        str,
        typer.Option(
            "--lease-namespace",
            metavar="NAME",
            help="Where the Lease stands by which one of several operators leads.",
            show_default="the namespace of the pod, or of the context",
        ),
    ] = "",
    port: Annotated[
        int,
        typer.Option(
            "--port", min=0, max=65_535, metavar="N", help="Port of health and metrics; 0: any."
        ),
    ] = 8080,
    parallel: Annotated[
        int,
        typer.Option(
            "--parallel",
            min=1,
            max=256,
            metavar="N",
            help="How many fleets are worked on at a time.",
        ),
    ] = 16,
    vantage: Annotated[
        str,
        typer.Option(
            "--vantage",
            metavar="NAME",
            help="How conditions call the place from where members are dialed.",
        ),
    ] = "the operator",
    dial_load_balancers_from: Annotated[
        DialFrom,
        typer.Option(
            "--dial-load-balancers-from",
            help="From where members behind load balancers are dialed: member-node makes a pod on "
            "the member's own node, for clusters where the operator cannot reach its own load "
            "balancers.",
        ),
    ] = DialFrom.OPERATOR,
    publish_unreachable: Annotated[
        bool,
        typer.Option(
            "--publish-unreachable",
            help="Publish ready members even if the operator cannot dial their addresses itself.",
        ),
    ] = False,
    unready_grace: Annotated[
        float,
        typer.Option(
            "--unready-grace",
            min=0,
            metavar="SECONDS",
            help="How long a member that is not ready stays in the tree.",
        ),
    ] = 60.0,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Look after the StatusFleets of a cluster until SIGTERM.

    Exits with 1 if there is no way to the cluster, or the Lease was lost to another.
    """
    from statusfleet.handlers.operator import Operator, OperatorSettings
    from statusfleet.kube import KubeError, LeadershipLostError

    _start_logging(verbose=verbose)
    settings = OperatorSettings(
        kubeconfig=kubeconfig,
        context=context,
        namespaces=tuple(namespace or ()),
        lease_namespace=lease_namespace,
        image=image,
        vantage=vantage,
        reach_first=not publish_unreachable,
        dial_from_nodes=dial_load_balancers_from is DialFrom.MEMBER_NODE,
        port=port,
        parallel=parallel,
        grace_seconds=unready_grace,
    )
    try:
        asyncio.run(Operator(settings).run())
    except ExceptionGroup as group:
        lost, rest = group.split(LeadershipLostError)
        if lost is None or rest is not None:
            raise
        typer.echo("error: the lease was lost, and another operator may lead now", err=True)
        raise typer.Exit(FAILED) from group
    except (KubeError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(FAILED) from error


def _start_logging(*, verbose: bool) -> None:
    from statusfleet.handlers.kopf_watch import NOT_FOR_THE_LOG
    from statusnode.node.logs import LogfmtFormatter

    handler = logging.StreamHandler()
    handler.setFormatter(LogfmtFormatter())
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler])
    for chatty in ("asyncio", "kopf", "kubernetes"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    for twice in NOT_FOR_THE_LOG:
        logging.getLogger(twice).setLevel(logging.CRITICAL)
