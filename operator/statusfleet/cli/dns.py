"""`statusfleet dns`: one DNS server of a fleet, in its pod. It serves what the operator publishes.

Not for hands: the operator runs it as the Deployment `<fleet>-dns`.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence
from typing import Annotated, Final

import typer

_LINGER_SECONDS: Final = 4.0
"""How long queries are answered still after the pod was told to end, until nobody sends any."""


def dns(
    *,
    fleet: Annotated[str, typer.Option(help="Name of the fleet.")],
    namespace: Annotated[str, typer.Option(help="Namespace of the fleet.")],
    listen: Annotated[str, typer.Option(help="IP address to listen on.")] = "127.0.0.1",
    also: Annotated[
        str,
        typer.Option(envvar="POD_IPS", help="Further IP addresses of DNS, separated by commas."),
    ] = "",
    port: Annotated[int, typer.Option(help="Port of DNS, UDP and TCP.")] = 5353,
    health_port: Annotated[int, typer.Option(help="Port of /health, /ready, /metrics.")] = 8081,
) -> None:
    """Serve a fleet's tree from within the cluster."""
    from statusfleet.kube import KubeConfigError
    from statusfleet.publishers.embedded import DnsServerError

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        others = [address for address in also.split(",") if address not in ("", listen)]
        asyncio.run(_serve(fleet, namespace, [listen, *others], port, health_port))
    except (KubeConfigError, DnsServerError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error


async def _serve(
    fleet: str, namespace: str, listen: Sequence[str], port: int, health_port: int
) -> None:
    from statusfleet.kube import KubeClient
    from statusfleet.publishers.dns_follower import DnsFollower
    from statusfleet.publishers.embedded import EmbeddedDnsServer
    from statusfleet.store.kubernetes import KubernetesReader
    from statusfleet.tree.zone import ZoneSettings
    from statusnode.metrics.server import MetricsServer, Sources
    from statusnode.metrics.text import Family, counters_by

    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with await KubeClient.connect() as client:
        # The zone comes with the first tree; until then everything else is refused.
        server = EmbeddedDnsServer(ZoneSettings("localhost"))
        reader = KubernetesReader(client, namespace, fleet)
        follower = DnsFollower(client, reader, server, namespace, fleet)

        def missing() -> list[str]:
            problem = "is ending" if ended.is_set() else follower.problem
            return [problem] if problem else []

        def families() -> list[Family]:
            verdicts = {verdict.value: n for verdict, n in server.counters.verdicts.items()}
            text = "Queries by what became of them."
            return [counters_by("statusfleet_dns_queries_total", text, "verdict", verdicts)]

        health = MetricsServer(listen[0], health_port, Sources(families, lambda: True, missing))
        await server.start(listen[0], port, also=listen[1:])
        try:
            await health.start()
            async with asyncio.TaskGroup() as group:
                following = group.create_task(follower.run())
                await ended.wait()
                await asyncio.sleep(_LINGER_SECONDS)
                following.cancel()
        finally:
            await health.stop()
            await server.stop()
