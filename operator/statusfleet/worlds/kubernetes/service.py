"""The Service of one member: the ways by which its own and others reach it. Pure.

One a member: members behind one address would be one peer to whoever dials it.
"""

from __future__ import annotations

from statusfleet.api.exposure import Expose
from statusfleet.kube.kinds import SERVICE, JsonDict
from statusfleet.plan import MemberId
from statusfleet.worlds.kubernetes.names import P2P, Owner
from statusfleet.worlds.kubernetes.pod import P2P_PORT

_OUTSIDE = {"NodePort": "NodePort", "LoadBalancer": "LoadBalancer"}


def service(owner: Owner, member: MemberId, expose: Expose) -> JsonDict:
    """Return a member's Service.

    HostPort and Static reach the pod past it; the fleet itself uses its cluster address always,
    which stays the same wherever the pod is. TCP and UDP have one number: the API server gives
    ports of one number the same node port.
    """
    kind = _OUTSIDE.get(expose.type, "ClusterIP")
    port = expose.port or P2P_PORT if kind == "LoadBalancer" else P2P_PORT
    labels = owner.member_labels(member)
    body = owner.body(SERVICE, owner.child(member.name), labels, annotations=expose.annotations)
    body["spec"] = {
        "type": kind,
        "ipFamilyPolicy": "PreferDualStack",
        "selector": owner.member_selector(member),
        # A member that is not ready yet must be dialed to become ready.
        "publishNotReadyAddresses": True,
        "ports": [
            {"name": P2P, "protocol": "TCP", "port": port, "targetPort": P2P_PORT},
            {"name": f"{P2P}-udp", "protocol": "UDP", "port": port, "targetPort": P2P_PORT},
        ],
    }
    if kind != "ClusterIP":
        # Peers are judged by their address, so it must be theirs and not a node's.
        body["spec"]["externalTrafficPolicy"] = "Local"
    return body
