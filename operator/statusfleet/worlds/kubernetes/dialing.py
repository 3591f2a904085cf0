"""Members behind load balancers, dialed from their own nodes: a pod for each dial.

    operator ── makes ──> pod on the member's node ── RLPx ──> load balancer's address ──> member
        └── reads how it ended, from the pods that are watched anyway, and deletes it

For clusters that keep their own traffic from their load balancers, where the operator cannot reach
what the world does. A dial takes a pod, so there has to be a reason for it: a new address, another
node, a failure before, or that a day has gone by. What was reached before the operator was started
counts. A pod ends by itself and belongs to the fleet, so none is left whatever becomes of us.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

from statusfleet.api.fleet import StatusFleet
from statusfleet.kube.client import KubeClient
from statusfleet.kube.errors import KubeError
from statusfleet.kube.kinds import POD, JsonDict
from statusfleet.plan import MemberId, ObservedMember, desired_members
from statusfleet.worlds.kubernetes.applying import REFUSALS
from statusfleet.worlds.kubernetes.names import DIAL, Owner
from statusfleet.worlds.kubernetes.pin import role_of
from statusfleet.worlds.kubernetes.pod import RESTRICTED_CONTAINER, RESTRICTED_POD, tolerations
from statusfleet.worlds.kubernetes.records import Ended, PodRecord, Snapshot
from statusfleet.worlds.protocol import Vantage
from statusnode.records.enode import Enode

MOST_PODS: Final = 16
"""Pods that dial at a time, of all fleets of an operator."""
REPEAT_SECONDS: Final = 86_400.0
RETRY_SECONDS: Final = 10.0
DEADLINE_SECONDS: Final = 60
"""After which a pod is ended, whatever it does."""
PATIENCE_SECONDS: Final = 75.0
NOT_REACHED: Final = 3
"""Exit code of the program, `statusfleet.canary.knock`."""
_CAVEAT: Final = "there the cluster may answer in place of a load balancer: look from outside too"


class NodeDialing:
    """Dials members of one fleet from the nodes that they run on, where that is wanted at all."""

    def __init__(
        self,
        client: KubeClient,
        owner: Owner,
        snapshot: Callable[[], Snapshot],
        fleet: Callable[[], StatusFleet | None],
        *,
        image: str,
        wanted: bool,
        slots: asyncio.Semaphore,
        reached: Mapping[str, str],
    ) -> None:
        """Take what is watched of the fleet, and the fleet as it is now.

        `image` is the operator's own. `slots` bounds the pods of all fleets together. `reached` are
        the enodes by member that need no dial, since they were reached before.
        """
        self._client = client
        self._owner = owner
        self._snapshot = snapshot
        self._fleet = fleet
        self._image = image
        self._wanted = wanted
        self._slots = slots
        self._reached = dict(reached)
        self._pods: set[str] = set()  # by name, those that somebody waits for
        self._looked = asyncio.Event()

    def vantage(self, member: ObservedMember) -> Vantage | None:
        """Return from where a member has to be dialed; None: from wherever the operator is."""
        if not self._wanted or member.address_source != "LoadBalancer" or not member.node:
            return None
        return Vantage(
            f"its own node {member.node}",
            partial(self._knock, member.id, member.node),
            repeat_seconds=REPEAT_SECONDS,
            retry_seconds=RETRY_SECONDS,
            caveat=_CAVEAT,
        )

    def look(self) -> None:
        """Look at the pods again: something of the fleet has changed."""
        self._looked.set()
        self._looked = asyncio.Event()

    async def sweep(self) -> None:
        """Delete the pods that nobody waits for, such as an earlier operator's.

        Raises:
            KubeError: the cluster does not answer.
        """
        for pod in self._snapshot().pods.values():
            if pod.part == DIAL and pod.name not in self._pods and not pod.deleting:
                with suppress(*REFUSALS):  # it ends by itself
                    await self._client.delete(POD, self._owner.namespace, pod.name, uid=pod.uid)

    async def _knock(self, member: MemberId, node: str, enode: Enode) -> str:
        if self._reached.pop(member.name, "") == str(enode):
            return ""
        async with self._slots:
            fleet = self._fleet()
            if fleet is None or member not in desired_members(fleet.spec):
                return "it is no member any more"
            name = self._owner.child(f"{member.name}-{DIAL}-{secrets.token_hex(3)}")
            self._pods.add(name)
            try:
                return await self._run(
                    dial_pod(self._owner, fleet, member, self._image, name, node, enode)
                )
            except KubeError as error:
                return f"no pod can dial it from there: {error}"
            finally:
                self._pods.discard(name)

    async def _run(self, body: JsonDict) -> str:
        """Have a pod dial, and take it away; return what it found to be in the way.

        Raises:
            KubeError: the pod cannot be made.
        """
        name = body["metadata"]["name"]
        await self._client.create(body)
        problem = await self._outcome(name)
        with suppress(KubeError):  # then the next sweep takes it away
            await self._client.delete(POD, self._owner.namespace, name)
        return problem

    async def _outcome(self, name: str) -> str:
        """Wait until a pod has ended, for as long as one may take; return what it found."""
        seen: PodRecord | None = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    looked = self._looked
                    pod = self._snapshot().pods.get(name)
                    if pod is not None and pod.ended is not None:
                        return _said(pod.ended)
                    if (pod is None or pod.deleting) and seen is not None:
                        return "the pod that dialed it from there was deleted"
                    seen = pod
                    await looked.wait()
        except TimeoutError:
            why = seen.problem if seen is not None else ""
            return f"the pod that dials it does not run there: {why or 'its node says nothing'}"


def _said(ended: Ended) -> str:
    if ended.code == 0:
        return ""
    if ended.code == NOT_REACHED:
        return ended.message.splitlines()[-1] if ended.message else "no connection"
    code = "" if ended.code is None else f" (exit code {ended.code})"
    return f"the pod that dials it failed there{code}: {ended.message or 'without a word'}"


def dial_pod(
    owner: Owner,
    fleet: StatusFleet,
    member: MemberId,
    own_image: str,
    name: str,
    node: str,
    enode: Enode,
) -> JsonDict:
    """Return the pod that dials a member from a node.

    It names its node itself, so that no scheduler has a say: one that takes no further pods is
    still where the member is. What it runs belongs to the operator, not to the fleet, and so does
    its image; it is pulled as the fleet's own is.
    """
    image = fleet.spec.image
    body = owner.body(POD, name, owner.dial_labels)
    body["spec"] = {
        "activeDeadlineSeconds": DEADLINE_SECONDS,
        "automountServiceAccountToken": False,
        "containers": [
            {
                "name": DIAL,
                # A fleet may be held at an image that does not know the program.
                "image": own_image,
                "imagePullPolicy": image.pull_policy,
                "command": ["python", "-P", "-m", "statusfleet.canary.knock"],
                "args": [str(enode)],
                "resources": {
                    "requests": {"cpu": "10m", "memory": "48Mi"},
                    "limits": {"memory": "128Mi"},
                },
                "securityContext": RESTRICTED_CONTAINER,
                "terminationMessagePolicy": "FallbackToLogsOnError",
            }
        ],
        "enableServiceLinks": False,
        "nodeName": node,
        "restartPolicy": "Never",
        "securityContext": RESTRICTED_POD,
        "serviceAccountName": owner.name,
        "terminationGracePeriodSeconds": 1,
        "tolerations": tolerations(role_of(fleet, member)),
    }
    if image.pull_secrets:
        body["spec"]["imagePullSecrets"] = [{"name": secret} for secret in image.pull_secrets]
    return body
