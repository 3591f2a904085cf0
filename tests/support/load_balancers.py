"""A fake controller of load balancers: what a cloud has, and a cluster without one lacks.

    whoever dials ── address:port ──> Service `<name>-device` ──> the member's pod

It watches nothing but looks again and again. The device is a Service of the cluster, so that what
it advertises really leads to the pod. A Service says by an annotation, as it would to a cloud's
controller, that its load balancer is to be known by a name; the cluster's own DNS knows that name.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import SERVICE

BY_NAME = {"balancers.example.org/known-by": "name"}
"""Annotation of a Service whose load balancer has a name."""
_POLL_SECONDS = 0.2


class FakeLoadBalancers:
    """The load balancers of one namespace."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    async def run(self) -> None:
        while True:
            for service in await self._client.list(SERVICE, self._namespace):
                if service["spec"].get("type") == "LoadBalancer":
                    await self._serve(service)
            await asyncio.sleep(_POLL_SECONDS)

    async def move(self, name: str) -> None:
        """Have the load balancer of a Service get another address."""
        await self._client.delete(SERVICE, self._namespace, f"{name}-device")

    async def _serve(self, service: dict[str, Any]) -> None:
        name = service["metadata"]["name"]
        device = await self._device(name, service["spec"])
        ingress: dict[str, Any] = {"ip": device["spec"]["clusterIP"], "ipMode": "Proxy"}
        if BY_NAME.items() <= service["metadata"].get("annotations", {}).items():
            host = f"{name}-device.{self._namespace}.svc.cluster.local"
            ingress = {"hostname": host}
        if service["status"].get("loadBalancer", {}).get("ingress") != [ingress]:
            status = {"status": {"loadBalancer": {"ingress": [ingress]}}}
            await self._client.patch(SERVICE, self._namespace, name, status, subresource="status")

    async def _device(self, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        found = await self._client.find(SERVICE, self._namespace, f"{name}-device")
        if found is not None:
            return found
        kept = ("name", "protocol", "port", "targetPort")
        return await self._client.create(
            {
                "apiVersion": SERVICE.api_version,
                "kind": SERVICE.kind,
                "metadata": {"name": f"{name}-device", "namespace": self._namespace},
                "spec": {
                    "selector": spec["selector"],
                    "publishNotReadyAddresses": True,
                    "ports": [{key: port[key] for key in kept} for port in spec["ports"]],
                },
            }
        )


@asynccontextmanager
async def load_balancers(client: KubeClient, namespace: str) -> AsyncIterator[FakeLoadBalancers]:
    """Have load balancers in a namespace."""
    balancers = FakeLoadBalancers(client, namespace)
    task = asyncio.create_task(balancers.run())
    try:
        yield balancers
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
