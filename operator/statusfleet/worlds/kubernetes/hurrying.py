"""Has a running pod see its new settings at once.

A kubelet looks at mounted ConfigMaps and Secrets once in a minute or so, and whenever the pod
itself changes: so it is changed. Done once and never made good, since the kubelet comes by anyway.
"""

from __future__ import annotations

import logging

from statusfleet.kube.client import KubeClient
from statusfleet.kube.errors import ConflictError, NotFoundError
from statusfleet.kube.kinds import POD, JsonDict
from statusfleet.worlds.kubernetes.applying import REFUSALS, digest
from statusfleet.worlds.kubernetes.names import SETTINGS
from statusfleet.worlds.kubernetes.records import PodRecord

_log = logging.getLogger(__name__)


async def hurry(
    client: KubeClient, namespace: str, pod: PodRecord | None, settings: list[JsonDict]
) -> None:
    """Have the kubelet of a running pod look at the objects `settings`; raises KubeError."""
    if pod is None or not pod.running or pod.deleting:
        return
    note = {SETTINGS: digest({"settings": settings})}
    metadata = {"uid": pod.uid, "annotations": note}
    try:
        await client.patch(POD, namespace, pod.name, {"metadata": metadata})
    except (ConflictError, NotFoundError):
        return  # another pod by now, which has the new settings from its start
    except REFUSALS as error:
        _log.info("%s sees its new settings only when its kubelet looks: %s", pod.name, error)
