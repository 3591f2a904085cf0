"""The kind DNSEndpoint, as ExternalDNS brings it into a cluster; tests install and remove it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from statusfleet.kube import KubeClient
from statusfleet.kube.errors import NotFoundError
from statusfleet.kube.kinds import CUSTOM_RESOURCE_DEFINITION, DNS_ENDPOINT

_PATIENCE_SECONDS = 180.0
_NAME = "dnsendpoints.externaldns.k8s.io"
_CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": _NAME,
        "annotations": {"api-approved.kubernetes.io": "unapproved, for tests"},
    },
    "spec": {
        "group": "externaldns.k8s.io",
        "names": {"kind": "DNSEndpoint", "plural": "dnsendpoints", "singular": "dnsendpoint"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}


async def install(client: KubeClient) -> None:
    """Have the cluster know the kind."""
    if await client.find(CUSTOM_RESOURCE_DEFINITION, "", _NAME) is None:
        await client.create(_CRD)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            with contextlib.suppress(Exception):
                await client.list(DNS_ENDPOINT, "default")
                return
            await asyncio.sleep(0.1)


async def remove(client: KubeClient) -> None:
    """Have the cluster forget the kind and all that is of it."""
    await client.delete(CUSTOM_RESOURCE_DEFINITION, "", _NAME)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        with contextlib.suppress(NotFoundError):
            while True:
                await client.list(DNS_ENDPOINT, "default")
                await asyncio.sleep(0.1)
        while True:
            if await client.find(CUSTOM_RESOURCE_DEFINITION, "", _NAME) is None:
                return
            await asyncio.sleep(0.1)
