"""Two processes, one Lease on a real API server: killed, stopped, woken, told to end."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import CONFIG_MAP
from support.kube_api import ApiServer

PATIENCE_SECONDS = 60.0

# A leader that writes its name as often as it can, and exits when it leads no more.
LEADER = """
import asyncio, sys
from statusfleet.kube import KubeClient, Leadership, LeadershipLostError, LeaseTimes, NotLeaderError

kubeconfig, namespace, name = sys.argv[1:]
times = LeaseTimes(duration=3, renew_deadline=2, retry=0.3)

async def work(client):
    while True:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"leader": name},
                "metadata": {"namespace": namespace, "name": "written"}}
        await client.apply(body)
        await asyncio.sleep(0.05)

async def main():
    async with await KubeClient.connect(kubeconfig, timeout_seconds=5) as own:
        leadership = Leadership(own, namespace, name, times=times)
        client = await KubeClient.connect(kubeconfig, may_write=lambda: leadership.leads)
        async with client:
            await leadership.acquire()
            print("leads", flush=True)
            working = asyncio.create_task(work(client))
            keeping = asyncio.create_task(leadership.keep())
            ending = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
            done, rest = await asyncio.wait(
                {working, keeping, ending}, return_when=asyncio.FIRST_COMPLETED
            )
            for task in rest:
                task.cancel()
            if ending in done:
                await leadership.release()
                print("released", flush=True)
                return
            for task in done:
                print(type(task.exception()).__name__, flush=True)
        sys.stdout.flush()
        import os; os._exit(3)

asyncio.run(main())
"""


@asynccontextmanager
async def leader(
    server: ApiServer, namespace: str, name: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        LEADER,
        server.kubeconfig(),
        namespace,
        name,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def says(process: asyncio.subprocess.Process, *words: str) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await process.stdout.readline()).decode().strip() in words


async def written_by(client: KubeClient, namespace: str, name: str) -> None:
    """Wait until the object bears the name of this leader."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for found in client.follow(CONFIG_MAP, namespace, "written"):
            if found is not None and found["data"]["leader"] == name:
                return


async def test_when_the_leader_is_killed_the_other_goes_on(
    api_server: ApiServer, client: KubeClient, namespace: str
) -> None:
    async with (
        leader(api_server, namespace, "first") as first,
        leader(api_server, namespace, "second") as second,
    ):
        assert first.stdout is not None
        assert second.stdout is not None
        tells = {asyncio.create_task(p.stdout.readline()): p for p in (first, second) if p.stdout}
        async with asyncio.timeout(PATIENCE_SECONDS):
            done, waiting = await asyncio.wait(tells, return_when=asyncio.FIRST_COMPLETED)
            assert len(done) == 1
            leads = tells[done.pop()]
            leads.kill()
            assert await waiting.pop() == b"leads\n"
        name = "second" if leads is first else "first"
        await written_by(client, namespace, name)


async def test_a_leader_that_was_stopped_wakes_up_writes_nothing_and_exits(
    api_server: ApiServer, client: KubeClient, namespace: str
) -> None:
    async with leader(api_server, namespace, "first") as first:
        await says(first, "leads")
        await written_by(client, namespace, "first")
        first.send_signal(signal.SIGSTOP)
        async with leader(api_server, namespace, "second") as second:
            await says(second, "leads")
            await written_by(client, namespace, "second")
            before = await client.get(CONFIG_MAP, namespace, "written")
            first.send_signal(signal.SIGCONT)
            await says(first, "LeadershipLostError", "NotLeaderError")
            assert await first.wait() == 3
            after = await client.get(CONFIG_MAP, namespace, "written")
            assert after["data"] == before["data"] == {"leader": "second"}
            assert second.returncode is None


async def test_a_leader_that_ends_orderly_lets_the_next_begin(
    api_server: ApiServer, client: KubeClient, namespace: str
) -> None:
    async with leader(api_server, namespace, "first") as first:
        await says(first, "leads")
        async with leader(api_server, namespace, "second") as second:
            assert first.stdin is not None
            first.stdin.write(b"\n")
            await says(first, "released")
            await says(second, "leads")
            assert await first.wait() == 0
