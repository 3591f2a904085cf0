"""What is kept of the objects that are watched: small frozen records, made from bodies. Pure.

A body of the API is many times larger than what decisions need of it, managed fields first of all,
and an operator holds tens of thousands. `RECORDS` says by kind how a body becomes a record; a
`Snapshot` is all records of one fleet, with the nodes of the cluster, at one moment.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from statusfleet.kube.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    DNS_ENDPOINT,
    NETWORK_POLICY,
    NODE,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    POD_DISRUPTION_BUDGET,
    ROLE,
    ROLE_BINDING,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    Body,
    Kind,
    kind_of,
)
from statusfleet.kube.names import FLEET_LABEL, PART_LABEL
from statusfleet.plan import MemberId
from statusfleet.worlds.kubernetes.names import (
    INTENT,
    P2P,
    PINNED,
    RESTART_HASH,
    member_of,
)
from statusfleet.worlds.kubernetes.ownership import owned_fields

OUT_OF_SERVICE: Final = "node.kubernetes.io/out-of-service"
_LONGEST_TEXT: Final = 300


@dataclass(frozen=True, slots=True)
class Child:
    """What every object of ours shows.

    `intent` is the digest of what we last applied, `owned` the fields that are still ours (see
    `ownership`). `version` is the object's
    resourceVersion, greater for the later of two records of one object.
    """

    kind: str
    name: str
    version: int = 0
    intent: str = ""
    owned: str = ""
    member: MemberId | None = None
    deleting: bool = False
    uid: str = ""
    """Of a ServiceAccount, to which tokens of pods are bound; not kept of other kinds."""

    @property
    def key(self) -> tuple[str, str]:
        """Kind and name."""
        return self.kind, self.name


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """A Service and the ways to it."""

    child: Child
    type: str = "ClusterIP"
    cluster_ips: tuple[str, ...] = ()
    port: int = 0
    node_port: int = 0
    """The node port of TCP; UDP has the same."""
    balancer_ips: tuple[str, ...] = ()
    balancer_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StatefulSetRecord:
    """A StatefulSet and what its pod was pinned to."""

    child: Child
    pinned: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a pod ended that is not started again: its exit code, None where it never ran."""

    code: int | None
    message: str


@dataclass(frozen=True, slots=True)
class PodRecord:
    """A pod. Times are unix seconds; `problem` says in words why it does not run."""

    name: str
    uid: str
    member: MemberId | None = None
    part: str = ""
    """What of the fleet it is where it is no member's, such as canary."""
    node: str = ""
    ready: bool = False
    since: float | None = None
    """Since when it is ready, or is not."""
    running: bool = False
    restarts: int = 0
    restart_hash: str = ""
    image: str = ""
    problem: str = ""
    deleting: bool = False
    ended: Ended | None = None


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A node of the cluster and its addresses."""

    name: str
    external_ips: tuple[str, ...] = ()
    internal_ips: tuple[str, ...] = ()
    ready: bool = True
    out_of_service: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything known of one fleet; by name, but `children` by kind and name."""

    pods: Mapping[str, PodRecord] = field(default_factory=dict)
    services: Mapping[str, ServiceRecord] = field(default_factory=dict)
    stateful_sets: Mapping[str, StatefulSetRecord] = field(default_factory=dict)
    children: Mapping[tuple[str, str], Child] = field(default_factory=dict)
    """What is of any other kind in `RECORDS`, such as claims, ConfigMaps, Secrets."""
    nodes: Mapping[str, NodeRecord] = field(default_factory=dict)

    def applied(self, kind: str, name: str) -> Applied | None:
        """Return the record of an object of a kind that we apply."""
        if kind == SERVICE.kind:
            return self.services.get(name)
        if kind == STATEFUL_SET.kind:
            return self.stateful_sets.get(name)
        return self.children.get((kind, name))


Applied = Child | ServiceRecord | StatefulSetRecord
Record = Child | ServiceRecord | StatefulSetRecord | PodRecord | NodeRecord


def fleet_of(body: Body) -> tuple[str, str]:
    """Return namespace and name of the fleet that an object belongs to."""
    metadata = body.get("metadata") or {}
    labels = metadata.get("labels") or {}
    return str(metadata.get("namespace", "")), str(labels.get(FLEET_LABEL, ""))


def child_from_body(body: Body) -> Child:
    """Return the record of any object that we apply."""
    metadata = body["metadata"]
    annotations = metadata.get("annotations") or {}
    version = str(metadata.get("resourceVersion", ""))
    kind = sys.intern(str(body["kind"]))
    return Child(
        kind=kind,
        # The objects of a member are called alike: the name is kept once.
        name=sys.intern(str(metadata["name"])),
        version=int(version) if version.isdecimal() else 0,
        intent=annotations.get(INTENT, ""),
        owned=owned_fields(metadata),
        member=member_of(metadata.get("labels") or {}),
        deleting="deletionTimestamp" in metadata,
        uid=str(metadata.get("uid", "")) if kind == SERVICE_ACCOUNT.kind else "",
    )


def service_from_body(body: Body) -> ServiceRecord:
    """Return the record of a Service."""
    spec = body.get("spec") or {}
    port: Mapping[str, Any] = next(
        (port for port in spec.get("ports") or () if port.get("name") == P2P), {}
    )
    balancer = (body.get("status") or {}).get("loadBalancer") or {}
    ingress = balancer.get("ingress") or ()
    return ServiceRecord(
        child=child_from_body(body),
        type=sys.intern(str(spec.get("type") or "ClusterIP")),
        cluster_ips=tuple(ip for ip in spec.get("clusterIPs") or () if ip != "None"),
        port=int(port.get("port") or 0),
        node_port=int(port.get("nodePort") or 0),
        balancer_ips=tuple(str(entry["ip"]) for entry in ingress if entry.get("ip")),
        balancer_names=tuple(str(entry["hostname"]) for entry in ingress if entry.get("hostname")),
    )


def stateful_set_from_body(body: Body) -> StatefulSetRecord:
    """Return the record of a StatefulSet."""
    annotations = body["metadata"].get("annotations") or {}
    # The members of a role are pinned to the same text: it is kept once.
    return StatefulSetRecord(child_from_body(body), sys.intern(str(annotations.get(PINNED, ""))))


def pod_from_body(body: Body) -> PodRecord:
    """Return the record of a pod."""
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    labels = metadata.get("labels") or {}
    conditions = {c.get("type"): c for c in status.get("conditions") or ()}
    ready = conditions.get("Ready") or {}
    containers = status.get("containerStatuses") or ()
    first: Mapping[str, Any] = containers[0] if containers else {}
    wanted: Mapping[str, Any] = next(iter(spec.get("containers") or ()), {})
    return PodRecord(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        member=member_of(labels),
        part=sys.intern(str(labels.get(PART_LABEL, ""))),
        node=sys.intern(str(spec.get("nodeName") or "")),
        ready=ready.get("status") == "True",
        since=_seconds(ready.get("lastTransitionTime") or metadata.get("creationTimestamp")),
        running="running" in (first.get("state") or {}),
        restarts=int(first.get("restartCount") or 0),
        restart_hash=(metadata.get("annotations") or {}).get(RESTART_HASH, ""),
        image=sys.intern(str(wanted.get("image") or "")),
        problem=_pod_problem(first, conditions)[:_LONGEST_TEXT],
        deleting="deletionTimestamp" in metadata,
        ended=_ended(status, first),
    )


def node_from_body(body: Body) -> NodeRecord:
    """Return the record of a node."""
    status = body.get("status") or {}
    addresses: dict[str, list[str]] = {}
    for entry in status.get("addresses") or ():
        addresses.setdefault(entry.get("type", ""), []).append(str(entry.get("address", "")))
    conditions = {c.get("type"): c.get("status") for c in status.get("conditions") or ()}
    taints = (body.get("spec") or {}).get("taints") or ()
    return NodeRecord(
        name=body["metadata"]["name"],
        external_ips=tuple(addresses.get("ExternalIP", ())),
        internal_ips=tuple(addresses.get("InternalIP", ())),
        ready=conditions.get("Ready", "True") == "True",
        out_of_service=any(taint.get("key") == OUT_OF_SERVICE for taint in taints),
    )


RECORDS: Final[Mapping[Kind, Callable[[Body], Record]]] = {
    CONFIG_MAP: child_from_body,
    DEPLOYMENT: child_from_body,
    DNS_ENDPOINT: child_from_body,
    NETWORK_POLICY: child_from_body,
    NODE: node_from_body,
    PERSISTENT_VOLUME_CLAIM: child_from_body,
    POD: pod_from_body,
    POD_DISRUPTION_BUDGET: child_from_body,
    ROLE: child_from_body,
    ROLE_BINDING: child_from_body,
    SECRET: child_from_body,
    SERVICE: service_from_body,
    SERVICE_ACCOUNT: child_from_body,
    STATEFUL_SET: stateful_set_from_body,
}
"""How a body of each watched kind becomes its record. All but nodes bear the fleet's label."""


def record_of(body: Body) -> Record:
    """Return the record of an object of a watched kind; raises KeyError for any other."""
    return RECORDS[kind_of(body)](body)


def _seconds(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None


def _ended(status: Mapping[str, Any], container: Mapping[str, Any]) -> Ended | None:
    """Return how a pod has ended for good; the kubelet tells why of one that it did not let run."""
    if status.get("phase") not in ("Succeeded", "Failed"):
        return None
    last = (container.get("state") or {}).get("terminated") or {}
    told = last.get("message") or status.get("message") or status.get("reason") or ""
    # What a program says last is why it ends.
    return Ended(last.get("exitCode"), str(told).strip()[-_LONGEST_TEXT:])


def _pod_problem(container: Mapping[str, Any], conditions: Mapping[str, Any]) -> str:
    """Say in words what keeps a pod from running; "" where nothing is known to."""
    return next(filter(None, _pod_problems(container, conditions)), "")


def _pod_problems(container: Mapping[str, Any], conditions: Mapping[str, Any]) -> Iterator[str]:
    scheduled = conditions.get("PodScheduled") or {}
    if scheduled.get("status") == "False":
        yield f"no node takes its pod: {_unscheduled(scheduled)}"
    waiting = (container.get("state") or {}).get("waiting") or {}
    ended = (container.get("lastState") or {}).get("terminated") or {}
    ended = (container.get("state") or {}).get("terminated") or ended
    if waiting.get("reason") not in (None, "", "ContainerCreating", "CrashLoopBackOff"):
        yield f"{waiting['reason']}: {waiting.get('message') or 'see kubectl describe pod'}"
    if ended and "running" not in (container.get("state") or {}):
        words = str(ended.get("message") or ended.get("reason") or "").strip()
        yield f"exited with code {ended.get('exitCode')}: {words or 'see its log'}"


def _unscheduled(condition: Mapping[str, Any]) -> str:
    """Say why a pod has no node, as the scheduler does, with a remedy where there is one."""
    message = str(condition.get("message") or condition.get("reason") or "")
    if "olume" in message and "node affinity" in message:
        return (
            "its volume is on a node that cannot have it now: bring that node back, or delete its "
            f"claim to begin with an empty volume ({message})"
        )
    return message
