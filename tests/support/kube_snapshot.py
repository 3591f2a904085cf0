"""What a cluster shows of one fleet at this moment, asked for instead of watched."""

from __future__ import annotations

import asyncio

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import DNS_ENDPOINT
from statusfleet.kube.names import FLEET_LABEL
from statusfleet.worlds.kubernetes.records import (
    RECORDS,
    Child,
    NodeRecord,
    PodRecord,
    Record,
    ServiceRecord,
    Snapshot,
    StatefulSetRecord,
)

KINDS = {kind: make for kind, make in RECORDS.items() if kind != DNS_ENDPOINT}
"""What is made of each kind that every cluster knows: one of ExternalDNS's needs its definition."""


async def take(client: KubeClient, namespace: str, fleet: str) -> Snapshot:
    """Return the records of a fleet, and of the cluster's nodes."""
    lists = await asyncio.gather(
        *(
            client.list(kind, namespace, labels={FLEET_LABEL: fleet} if kind.namespaced else "")
            for kind in KINDS
        )
    )
    records: list[Record] = [
        make(body) for make, bodies in zip(KINDS.values(), lists, strict=True) for body in bodies
    ]
    return Snapshot(
        pods={r.name: r for r in records if isinstance(r, PodRecord)},
        services={r.child.name: r for r in records if isinstance(r, ServiceRecord)},
        stateful_sets={r.child.name: r for r in records if isinstance(r, StatefulSetRecord)},
        children={r.key: r for r in records if isinstance(r, Child)},
        nodes={r.name: r for r in records if isinstance(r, NodeRecord)},
    )
