"""Every field of the manifest is edited on a running fleet: what changes, who is started anew.

The edits stand in `support/field_edits_*.py`. An edit that changes another object than it says, or
starts somebody anew whom it does not name, fails as much as one without an effect.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import STATUS_FLEET
from support import field_edits_of_fleets, field_edits_of_pods, field_edits_while_running
from support.cluster import Cluster
from support.dns_servers import DnsServer, bind
from support.field_edits import Course, Edit, Refusal, Surroundings, merged
from support.field_edits_refused import refusals
from support.fleet_likeness import content
from support.fleet_sight import Json, Sight, look
from support.manifest_tables import manifest
from support.operator_process import PATIENCE_SECONDS, FleetUser, condition, operator

pytestmark = [pytest.mark.slow]

MOST_FLEETS_AT_A_TIME = 5
AT_REST = ("Steady", "RolloutStopped")
MEMORY = "ConfigMap state"
"""The operator's own memory, which nobody else reads."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DnsServer]:
    with bind(tmp_path_factory.mktemp("bind")) as running:
        yield running


@pytest.fixture(scope="module")
def around(cluster: Cluster, image: str, server: DnsServer) -> Iterator[Surroundings]:
    """What the edits name of the cluster's own, made for them."""
    name = f"test-edits-{secrets.token_hex(3)}"
    storage: Json = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "provisioner": "rancher.io/local-path",
        "volumeBindingMode": "WaitForFirstConsumer",
        # It says so and does not do it, which is the cluster's business.
        "allowVolumeExpansion": True,
    }
    runtime: Json = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": "runc"}
    for document in (storage, runtime):
        cluster.create({**document, "metadata": {"name": name}}, namespace="default")
    yield Surroundings(image, name, name, server.port)
    for document in (storage, runtime):
        cluster.kubectl("delete", document["kind"].lower(), name)


@pytest.fixture
async def place(
    cluster: Cluster, definition: str, namespace: str, image: str, tmp_path: Path
) -> AsyncIterator[str]:
    """A namespace where an operator works."""
    async with operator(tmp_path, cluster.kubeconfig, namespace, image):
        yield namespace


@pytest.mark.parametrize(
    "table", [field_edits_of_pods, field_edits_while_running, field_edits_of_fleets]
)
async def test_an_edit_does_what_it_says_and_nothing_else(
    table: ModuleType, client: KubeClient, cluster: Cluster, place: str, around: Surroundings
) -> None:
    slots = asyncio.Semaphore(MOST_FLEETS_AT_A_TIME)
    complaints: list[str] = []

    async def go(course: Course) -> None:
        async with slots:
            for needed in course.needs:
                metadata = {**needed["metadata"], "namespace": place}
                await client.create({**needed, "metadata": metadata})
            user = FleetUser(client, place, course.name)
            complaints.extend(await go_through(user, course))
            await user.delete()
            try:
                await user.until_gone()
            except TimeoutError:
                complaints.append(f"{course.name} does not go: {await user.status()}")

    async with asyncio.TaskGroup() as group:
        for course in table.courses(around):
            group.create_task(go(course))
    assert not complaints, "\n\n".join(complaints)


async def go_through(user: FleetUser, course: Course) -> list[str]:
    """Make a fleet and all its edits; return what was not as it should be."""
    await user.apply(**course.base)
    before = await Settled(user, course.starts).sight()
    complaints = []
    for edit in course.edits:
        await user.client.patch(STATUS_FLEET, user.namespace, user.name, {"spec": edit.patch})
        seen = Aftermath(user, edit, before)
        before = await seen.sight()
        if seen.complaint:
            complaints.append(f"{course.name}, {edit.fields}: {seen.complaint}")
    return complaints


class Settled:
    """Waits until a fleet rests with a condition as wished, twice; says what is missing."""

    def __init__(self, user: FleetUser, wish: tuple[str, str], says: str = "") -> None:
        self._user = user
        self._wish = wish
        self._says = says
        self.complaint = ""

    async def sight(self) -> Sight:
        """Wait, but not for ever; return what was seen last."""
        quiet = 0
        end = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            sight = await look(self._user.client, self._user.namespace, self._user.name)
            self.complaint = self.judge(sight) or await self.listen(sight)
            quiet = 0 if self.complaint else quiet + 1
            if quiet == 2 or asyncio.get_running_loop().time() > end:
                return sight
            await asyncio.sleep(1)

    def judge(self, sight: Sight) -> str:
        if not sight.is_told:
            return "its status speaks of an older spec"
        waits_in_vain = self._wish == ("Ready", "MembersNotReady")
        at_rest = condition(sight.status, "Progressing").get("reason") in AT_REST
        if not (at_rest or waits_in_vain):
            return f"it does not rest: {condition(sight.status, 'Progressing')}"
        kind, reason = self._wish
        found = condition(sight.status, kind)
        if found.get("reason") != reason or self._says not in found.get("message", ""):
            return f"{found} where {reason} should be, saying {self._says!r}"
        return ""

    async def listen(self, sight: Sight) -> str:
        return ""


class Aftermath(Settled):
    """Waits until an edit has done what it says."""

    def __init__(self, user: FleetUser, edit: Edit, before: Sight) -> None:
        super().__init__(user, edit.condition, edit.says)
        self._edit = edit
        self._before = before

    def judge(self, sight: Sight) -> str:
        if complaint := super().judge(sight):
            return complaint
        if not self._edit.shows(sight):
            return "what it should show is not seen"
        changed = changed_objects(self._before, sight)
        if changed != self._edit.changes:
            more, less = sorted(changed - self._edit.changes), sorted(self._edit.changes - changed)
            return f"changed as well: {more}; not changed: {less}"
        anew = started_anew(self._before, sight)
        if anew != self._edit.restarts:
            return f"started anew: {sorted(anew)}, not {sorted(self._edit.restarts)}"
        return ""

    async def listen(self, sight: Sight) -> str:
        if self._edit.heard is None:
            return ""
        member, words = self._edit.heard
        pod = sight.pods[member]["metadata"]["name"]
        async for line in self._user.client.logs(self._user.namespace, pod):
            if words in line:
                return ""
        return f"the member's log does not say {words}"


def changed_objects(before: Sight, after: Sight) -> frozenset[str]:
    """The objects that were made, removed, or have another content."""
    names = (before.objects.keys() | after.objects.keys()) - {MEMORY}
    return frozenset(
        name
        for name in names
        if (name in before.objects) != (name in after.objects)
        or content(before.objects[name]) != content(after.objects[name])
    )


def started_anew(before: Sight, after: Sight) -> frozenset[str]:
    """The members whose pod is another than before."""
    return frozenset(
        name
        for name in before.pods.keys() & after.pods.keys()
        if before.pods[name]["metadata"]["uid"] != after.pods[name]["metadata"]["uid"]
    )


@pytest.mark.parametrize("refusal", list(refusals()), ids=lambda refusal: refusal.fields[0])
def test_what_cannot_be_edited_is_refused_with_the_reason(
    cluster: Cluster, definition: str, namespace: str, refusal: Refusal
) -> None:
    into = f"--namespace={namespace}"
    answer = cluster.apply([manifest(refusal.base)], into)
    assert answer.code == 0, answer.err
    answer = cluster.apply([manifest(merged(refusal.base, refusal.patch))], into)
    assert answer.code
    assert refusal.sentence in answer.err
