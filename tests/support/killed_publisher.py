"""A publisher in a process of its own that is killed (SIGKILL) at a step of a publication.

A step is the moment before, or after, anything is written: to the memory, to the DNS.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from statusfleet.kube import KubeClient
from statusfleet.plan import DesiredTree
from statusfleet.publishers.authorities import Server
from statusfleet.publishers.cluster_dns import ClusterDnsSink
from statusfleet.publishers.dnsendpoint import DnsEndpointSink
from statusfleet.publishers.objects import Owner
from statusfleet.publishers.rfc2136 import Rfc2136Sink, UpdateSettings
from statusfleet.publishers.sink import Sink
from statusfleet.publishers.zonefile import ZoneFileSink
from statusfleet.reconcile.publishing import TreeKeeper
from statusfleet.store import FolderStore, Store
from statusfleet.store.kubernetes import KubernetesStore
from support.dns_servers import KEY_NAME, SECRET, ZONE
from support.records import DOMAIN, TREE_KEY, vector_node

DESIRED = DesiredTree(
    domain=DOMAIN,
    candidates=(),
    links=(),
    root_ttl_seconds=60,
    entries_ttl_seconds=3600,
    soa_minimum_seconds=60,
    name_servers=("localhost",),
    mailbox=f"hostmaster.{DOMAIN}",
    sinks=("one",),
)
_TESTS = Path(__file__).parents[1]
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Errand:
    """What to publish, and where: into the zone of a server, or as objects of a cluster.

    `memory` is a folder, or the namespace of a fleet on a cluster. `sink` is as in a spec; where it
    is zoneFile or dnsEndpoint, the DNS leads to `server` for the tree's domain.
    """

    memory: str
    first_node: int
    nodes: int
    now: float
    sink: str = "embedded"
    server: str = ""
    kubeconfig: str = ""
    fleet: str = "eth"


class Publishers:
    """Publishes in processes of their own: each is a copy of one that has loaded all it needs."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child

    async def run(self, errand: Errand, *, kill_at: int = 0) -> bool:
        """Publish in another process; tell whether it lived to see the tree served."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps({**asdict(errand), "kill_at": kill_at}).encode() + b"\n")
        async with asyncio.timeout(_PATIENCE_SECONDS):
            answer = (await self._child.stdout.readline()).decode().strip()
        assert answer in ("0", str(-signal.SIGKILL)), answer or "the publishers have ended"
        return answer == "0"


@contextlib.asynccontextmanager
async def publishers() -> AsyncIterator[Publishers]:
    """Have publishers, until the end of the context."""
    path = os.pathsep.join(filter(None, (str(_TESTS), os.environ.get("PYTHONPATH"))))
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "support.killed_publisher"),
        env={**os.environ, "PYTHONPATH": path},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Publishers(child)
    finally:
        child.kill()
        await child.communicate()


class _Steps:
    """Counts steps, and ends the process at one of them."""

    def __init__(self, kill_at: int) -> None:
        self._left = kill_at

    def _step(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, name: str) -> None:
        """Have a step before and after each call of a method."""
        act: Callable[..., Awaitable[Any]] = getattr(owner, name)

        async def stepping(*given: Any, **named: Any) -> Any:
            self._step()
            result = await act(*given, **named)
            self._step()
            return result

        setattr(owner, name, stepping)


@contextlib.asynccontextmanager
async def _seams(errand: Errand, steps: _Steps) -> AsyncIterator[tuple[Store, Sink]]:
    if errand.sink == "rfc2136":
        store = FolderStore.open(Path(errand.memory), "test")
        sink = Rfc2136Sink(UpdateSettings(errand.server, ZONE, KEY_NAME, "hmac-sha256", SECRET))
        steps.around(store, "write")
        steps.around(sink, "_exchange")
        yield store, sink
        return
    async with await KubeClient.connect(errand.kubeconfig) as client:
        for name in ("create", "replace", "delete"):
            steps.around(client, name)
        yield KubernetesStore(client, errand.memory, errand.fleet), _sink(errand, client)


def _sink(errand: Errand, client: KubeClient) -> Sink:
    async def find(_domain: str) -> list[Server]:
        host, _, port = errand.server.rpartition(":")
        return [Server(host, int(port))]

    owner = Owner(errand.memory, errand.fleet)
    if errand.sink == "zoneFile":
        return ZoneFileSink(client, owner, f"{errand.fleet}-zone", find_servers=find)
    if errand.sink == "dnsEndpoint":
        return DnsEndpointSink(client, owner, find_servers=find)
    return ClusterDnsSink(client, owner)


async def _publish(errand: Errand, kill_at: int) -> None:
    last = errand.first_node + errand.nodes
    records = [vector_node(number) for number in range(errand.first_node, last)]
    async with _seams(errand, _Steps(kill_at)) as (store, sink):
        keeper = TreeKeeper(store, (sink,), lambda: errand.now)
        await keeper.recall()
        deadline = time.monotonic() + _PATIENCE_SECONDS / 2
        while True:
            state = await keeper.publish(DESIRED, records, TREE_KEY)
            if state.published and state.propagated:
                return
            if time.monotonic() > deadline:
                sys.exit(state.problem)
            await asyncio.sleep(0.05)


def _serve() -> None:
    """Run each errand that comes by a line in a copy of this process, and say how it ended."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            given = json.loads(line)
            at = given.pop("kill_at")
            asyncio.run(_publish(Errand(**given), at))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
