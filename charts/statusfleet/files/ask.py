# ruff: noqa: INP001, S310, T201 - a program of its own, that says what it sees
"""Asks the operator as its users do: is it well, and does it see a fleet that is made now?

Run by `helm test` in a pod of the operator's image: ask.py URL NAMESPACE. The fleet is paused, so
nothing is made for it but its status; it goes again in any case.
"""

import asyncio
import sys
import urllib.request

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import STATUS_FLEET

NAME = "statusfleet-helm-test"
PATIENCE_SECONDS = 60


def ask(url: str) -> str:
    """Return what the operator answers; an answer that is no 200 raises."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


async def seen(client: KubeClient, namespace: str) -> str:
    """Make a fleet and return the phase that the operator says it is in."""
    body = {
        "apiVersion": STATUS_FLEET.api_version,
        "kind": STATUS_FLEET.kind,
        "metadata": {"namespace": namespace, "name": NAME},
        "spec": {"paused": True, "roles": {"relayer": {"replicas": 1}}},
    }
    await client.delete(STATUS_FLEET, namespace, NAME)
    await client.create(body)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                found = await client.get(STATUS_FLEET, namespace, NAME)
                if phase := (found.get("status") or {}).get("phase"):
                    return str(phase)
                await asyncio.sleep(0.5)
    finally:
        await client.delete(STATUS_FLEET, namespace, NAME)


async def main(url: str, namespace: str) -> None:
    """Ask everything, and say what came of it."""
    print("health:", await asyncio.to_thread(ask, f"{url}/health"))
    if "statusfleet_leader" not in await asyncio.to_thread(ask, f"{url}/metrics"):
        sys.exit("the metrics are not those of the operator")
    async with await KubeClient.connect() as client:
        try:
            print("a paused fleet was seen, phase:", await seen(client, namespace))
        except TimeoutError:
            sys.exit(f"the operator did not see a new fleet within {PATIENCE_SECONDS} s")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
