"""From records to what the plan is told of a member. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace
from typing import Final

from statusfleet.kube.kinds import PERSISTENT_VOLUME_CLAIM
from statusfleet.plan import Endpoint, MemberId, ObservedMember, Seat
from statusfleet.worlds.kubernetes.addresses import Chosen
from statusfleet.worlds.kubernetes.names import CANARY, Owner
from statusfleet.worlds.kubernetes.pin import Choice
from statusfleet.worlds.kubernetes.pod import DATA, KEY_FILE, METRICS_PORT, P2P_PORT, RPC_PORT
from statusfleet.worlds.kubernetes.records import (
    OUT_OF_SERVICE,
    NodeRecord,
    PodRecord,
    Snapshot,
)
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record

_MANY_RESTARTS: Final = 3
_NO_POD_SECONDS: Final = 30.0


def seat(choice: Choice) -> Seat:
    """Return where a member sits in its pod: all sit alike."""
    return Seat(
        listen=Endpoint("", P2P_PORT),
        rpc=Endpoint("127.0.0.1", RPC_PORT),
        metrics=Endpoint("", METRICS_PORT),
        data_dir=DATA,
        program=choice.pin.program,
        key_file=KEY_FILE,
    )


def pods_by_member(snapshot: Snapshot, owner: Owner) -> dict[MemberId, PodRecord]:
    """Return each member's pod; one that goes away only where there is no other.

    A copy that somebody made to look into it may bear the same labels, never the same name.
    """
    found: dict[MemberId, PodRecord] = {}
    for pod in sorted(snapshot.pods.values(), key=lambda pod: not pod.deleting):
        if pod.member is not None and pod.name == owner.pod(pod.member):
            found[pod.member] = _without_node(pod) if _lost_its_node(pod, snapshot) else pod
    return found


def _lost_its_node(pod: PodRecord, snapshot: Snapshot) -> bool:
    return bool(pod.node and snapshot.nodes) and pod.node not in snapshot.nodes


def _without_node(pod: PodRecord) -> PodRecord:
    """Return what is true of a pod whose node was deleted: nobody says so for a minute or so."""
    problem = f"its node {pod.node} was deleted: the cluster soon removes its pod and makes another"
    return replace(pod, ready=False, since=None, running=False, problem=problem)


def canary_pod_of(snapshot: Snapshot) -> PodRecord | None:
    """Return the canary's pod; one on a node that is not there proves nothing, and says so."""
    pods = snapshot.pods.values()
    pod = next((pod for pod in pods if pod.part == CANARY and not pod.deleting), None)
    if pod is None:
        return None
    if _lost_its_node(pod, snapshot):
        return _without_node(pod)
    node = snapshot.nodes.get(pod.node)
    if node is None or node.ready:
        return pod
    problem = f"its node {node.name} does not answer, and it soon starts on another"
    return replace(pod, running=False, problem=problem)


def leftovers(snapshot: Snapshot, wanted: Iterable[MemberId]) -> tuple[MemberId, ...]:
    """Return the members that are not wanted and still have something that should go."""
    children = [
        *(record.child for record in snapshot.stateful_sets.values()),
        *(record.child for record in snapshot.services.values()),
        *(child for child in snapshot.children.values() if child.kind == "ConfigMap"),
    ]
    present = {c.member for c in children if c.member is not None and not c.deleting}
    return tuple(sorted(present - set(wanted)))


def claims_going(snapshot: Snapshot) -> dict[MemberId, str]:
    """Return the members whose claim was deleted and is only kept by their pods, with its name."""
    return {
        child.member: child.name
        for child in snapshot.children.values()
        if child.kind == PERSISTENT_VOLUME_CLAIM.kind and child.deleting and child.member
    }


def claim_problems(snapshot: Snapshot, wanted: Iterable[MemberId]) -> dict[str, str]:
    """Say by kind and name what becomes of deleted claims, and how to save what they hold."""
    going = claims_going(snapshot)
    return {
        f"{PERSISTENT_VOLUME_CLAIM} {going[member]}": (
            "it was deleted, and goes with everything on its volume as soon as its pod ends, which "
            "is left alone for now: to keep the data, set persistentVolumeReclaimPolicy of the "
            f"volume (kubectl get pvc {going[member]}) to Retain; then delete the pod"
        )
        for member in wanted
        if member in going
    }


def observed_member(
    member: MemberId,
    *,
    key: PrivateKey | None,
    choice: Choice,
    dial: Endpoint | None,
    advertised: Chosen,
    pod: PodRecord | None,
    node: NodeRecord | None,
    record: Record | None,
    down_since: float,
    missing: str = "",
    keyless: str = "",
) -> ObservedMember:
    """Return what the plan is told; `keyless` says why there is no key.

    `down_since` counts where there is no pod to ask, or one that was ready until it was told to
    end: what it says of itself then is since when it was ready. `missing` is what to say where
    there is no pod (`no_pod`).
    """
    ready = pod is not None and pod.ready and not pod.deleting
    ending = pod is not None and pod.ready and pod.deleting
    asked = pod.since if pod is not None and not ending else None
    since = asked if asked is not None else down_since
    return ObservedMember(
        id=member,
        key=key,
        seat=seat(choice),
        dial=dial,
        advertised=advertised.endpoint,
        address_source=advertised.source,
        node=pod.node if pod is not None else "",
        record=record,
        running=pod is not None and pod.running,
        listening=ready,
        ready=ready,
        ready_since=since if ready else None,
        unready_since=None if ready else since,
        restart_hash=pod.restart_hash if pod is not None else None,
        pinned_startup=choice.pin.startup,
        update_pending=choice.newer,
        version=pod.image if pod is not None else "",
        message=keyless or ("" if ready else _problem(pod, node, missing)),
        address_problem=advertised.problem,
    )


def no_pod(stateful_set: str, seconds: float, refusal: str = "") -> str:
    """Return what to say of a member that has had no pod for so long; "" while that is usual.

    `refusal` is what keeps the cluster from making one, where that is known.
    """
    if refusal:
        return f"no pod is made for it: {refusal}"
    if seconds < _NO_POD_SECONDS:
        return ""
    return f"no pod is made for it: see kubectl describe statefulset {stateful_set}"


def podless(
    snapshot: Snapshot, stateful_sets: Iterable[str], pods: Container[MemberId]
) -> tuple[str, ...]:
    """Return which of these StatefulSets have none of the `pods`."""
    there = (snapshot.stateful_sets.get(name) for name in stateful_sets)
    return tuple(one.child.name for one in there if one and one.child.member not in pods)


def _problem(pod: PodRecord | None, node: NodeRecord | None, missing: str) -> str:
    """Say why a member is not ready, and what to do where somebody can; "" while it starts."""
    if pod is None:
        return missing
    if node is not None and not node.ready and not node.out_of_service:
        return (
            f"its node {node.name} does not answer, and its pod stays there until the node is "
            "back, is deleted, or is marked (kubectl taint nodes "
            f"{node.name} {OUT_OF_SERVICE}=nodeshutdown:NoExecute)"
        )
    if pod.problem or not pod.running:
        return pod.problem
    if pod.restarts >= _MANY_RESTARTS:
        return f"was restarted {pod.restarts} times: see kubectl logs --previous {pod.name}"
    return ""
