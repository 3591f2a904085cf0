"""Whole fleets on a real cluster, by a real operator, as their users see them."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    EVENT,
    POD,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    STATUS_FLEET,
)
from statusnode.crypto.keys import PrivateKey
from support.cluster import Answer, Cluster
from support.leaks import bytes_of, leaks_in
from support.operator_process import (
    FleetUser,
    condition,
    eventually,
    has_reason,
    is_true,
    operator,
)

EXPOSE = {"type": "NodePort", "addressScope": "Private"}
RELAYER = {"replicas": 2, "expose": EXPOSE}
MAILSERVER = {"replicas": 1, "expose": EXPOSE, "storage": {"size": "64Mi"}}
PASSWORD = b"correct horse battery"


def enodes(status: dict[str, Any]) -> list[str]:
    return [member["enode"].partition("@")[0] for member in status["members"]]


async def pods(user: FleetUser) -> dict[str, dict[str, Any]]:
    """Return the members' pods by name."""
    labels = f"statusfleet.io/fleet={user.name},statusfleet.io/ordinal"
    found = await user.client.list(POD, user.namespace, labels=labels)
    return {pod["metadata"]["name"]: pod for pod in found}


async def test_an_applied_fleet_works_and_is_then_left_in_peace_also_by_the_next_operator(
    cluster: Cluster,
    definition: str,
    client: KubeClient,
    namespace: str,
    image: str,
    tmp_path: Path,
) -> None:
    user = FleetUser(client, namespace, "eth-dev")
    where = (tmp_path, cluster.kubeconfig, namespace, image, "--verbose")
    given = {"nodekey": PrivateKey.generate().data.hex(), "password": PASSWORD.decode()}
    cluster.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "given"}, "stringData": given},
        namespace=namespace,
    )
    own_key = {"ordinal": 1, "nodeKeySecret": {"name": "given", "key": "nodekey"}}
    password = {"secretKeyRef": {"name": "given", "key": "password"}}
    talkative = {"config": {"LogLevel": "TRACE"}}
    async with operator(*where) as first:
        await user.apply(
            roles={
                "relayer": {**RELAYER, **talkative, "members": [own_key]},
                "mailserver": {**MAILSERVER, **talkative, "password": password},
            },
            canary={"interval": "2s"},
            tree={"domain": "nodes.test.example", "ttl": {"root": "1s"}},
        )
        await user.until(is_true("Ready"), "ready")
        await user.until(is_true("Reachable"), "reachable")
        await user.until(is_true("CanaryPassing"), "proved by the canary")
        status = await user.until(is_true("TreePropagated"), "propagated")
        assert (status["phase"], status["ready"], status["tree"]["records"]) == ("Ready", "3/3", 3)
        assert all(member["published"] for member in status["members"])
        before = await versions(user)
        await asyncio.sleep(1)  # an Event follows the status that it tells of
        written = writes(cluster, namespace)
        assert bool(written) == (cluster.kind == "local")  # only there are writes told
        await asyncio.sleep(6)
        assert await versions(user) == before
        assert writes(cluster, namespace) == written
        await first.end()
    # What takes a moment to look at is as the last operator said it, until then too.
    written = writes(cluster, namespace)
    async with operator(*where) as second:
        await eventually(second.leads)
        await asyncio.sleep(6)
        assert await versions(user) == before
        assert writes(cluster, namespace) == written
        logs = {"the first operator": first.log, "the second operator": second.log}
        assert leaks_in(await told(user, logs), await secret_values(user)) == []
        await user.delete()
        await user.until_gone()


def writes(cluster: Cluster, namespace: str) -> list[str]:
    """Return what was written in a namespace by the operator, and by this test, but the Lease."""
    if cluster.kind != "local":
        return []
    found = []
    lines = cluster.audit_log.read_text().split("\n")[:-1]  # the last one is being written
    for event in (json.loads(line) for line in lines if namespace in line):
        what = event.get("objectRef", {})
        ours = not event["user"]["username"].startswith("system:")
        if ours and what.get("namespace") == namespace and what["resource"] != "leases":
            found.append(f"{event['verb']} {event['requestURI']}")
    return found


async def told(user: FleetUser, logs: Mapping[str, str]) -> dict[str, bytes]:
    """Return by name what may be read of a fleet without a right to Secrets; and these logs."""
    found = {name: log.encode() for name, log in logs.items()}
    for kind in (CONFIG_MAP, DEPLOYMENT, EVENT, POD, SERVICE, STATEFUL_SET, STATUS_FLEET):
        for item in await user.client.list(kind, user.namespace):
            found[f"{kind} {item['metadata']['name']}"] = json.dumps(item).encode()
    for pod in await user.client.list(POD, user.namespace):
        name = pod["metadata"]["name"]
        lines = [line async for line in user.client.logs(user.namespace, name)]
        assert lines, f"{name} has said nothing"
        found[f"log of {name}"] = "\n".join(lines).encode()
    return found


async def secret_values(user: FleetUser) -> set[bytes]:
    """Return what is in the namespace's Secrets: texts, and the keys that they stand for."""
    found = {PASSWORD}
    for secret in await user.client.list(SECRET, user.namespace):
        for name, coded in (secret.get("data") or {}).items():
            value = base64.b64decode(coded).strip()
            if name in ("nodekey", "signingkey"):
                found.add(bytes_of(value))
            if value != b"{}":  # what a member without any secret setting has
                found.add(value)
    assert len(found) > 8
    return found


async def versions(user: FleetUser) -> dict[tuple[str, str], str]:
    found = {}
    for kind in (CONFIG_MAP, DEPLOYMENT, SECRET, SERVICE, STATEFUL_SET, STATUS_FLEET):
        for item in await user.client.list(kind, user.namespace):
            found[kind.kind, item["metadata"]["name"]] = item["metadata"]["resourceVersion"]
    return found


class Births:
    """When each pod of a fleet was made and when it was first ready, in whole seconds."""

    def __init__(self, user: FleetUser) -> None:
        self._user = user
        self.least_ready = 2
        self._ready: dict[str, datetime] = {}

    async def watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(0.2)

    async def look(self) -> None:
        found = (await self._user.status()).get("roles", {}).get("relayer", {})
        self.least_ready = min(self.least_ready, found.get("ready", 2))
        for pod in (await pods(self._user)).values():
            for one in (pod.get("status") or {}).get("conditions") or ():
                if (one["type"], one["status"]) == ("Ready", "True"):
                    moment = datetime.fromisoformat(one["lastTransitionTime"])
                    self._ready.setdefault(pod["metadata"]["uid"], moment)

    def ready(self, pod: dict[str, Any]) -> datetime:
        return self._ready[pod["metadata"]["uid"]]


def made(pod: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(pod["metadata"]["creationTimestamp"]).astimezone(UTC)


def uids(found: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    return {name: pod["metadata"]["uid"] for name, pod in found.items()}


async def test_a_change_that_restarts_goes_from_role_to_role_and_from_member_to_member(
    user: FleetUser, cluster: Cluster
) -> None:
    soak = timedelta(seconds=2)
    quiet = {"rollout": {"soak": "2s"}, "canary": {"enabled": False}}
    await user.apply(roles={"relayer": RELAYER, "mailserver": MAILSERVER}, **quiet)
    before = await user.until(is_true("Ready"), "ready")
    old = uids(await pods(user))
    changed = {"template": {"annotations": {"example.org/changed": "yes"}}}
    births = Births(user)
    watching = asyncio.create_task(births.watch())
    await user.apply(
        roles={"relayer": {**RELAYER, **changed}, "mailserver": {**MAILSERVER, **changed}}, **quiet
    )

    async def done() -> bool:
        new = uids(await pods(user))
        return new.keys() == old.keys() and all(new[name] != old[name] for name in old)

    await eventually(done)
    after = await user.until(is_true("Ready"), "ready again")
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    await births.look()
    assert births.least_ready == 1
    assert enodes(after) == enodes(before)
    in_order = sorted((await pods(user)).values(), key=made)
    named = [pod["metadata"]["name"].removeprefix(f"{user.name}-") for pod in in_order]
    assert named == ["relayer-0-0", "relayer-1-0", "mailserver-0-0"]
    for last, following in pairwise(in_order):
        assert made(following) - births.ready(last) >= soak

    await one_is_started_anew_by_a_word(user, cluster, "relayer-1")
    await one_relayer_may_go_at_a_time(user, cluster)


async def one_is_started_anew_by_a_word(user: FleetUser, cluster: Cluster, member: str) -> None:
    """Ask for a restart of one member as users do; only its pod becomes another."""
    old, name = uids(await pods(user)), f"{user.name}-{member}-0"
    command = (sys.executable, "-m", "statusfleet.cli.kubectl.main", "restart", user.name, member)
    where = ("--namespace", user.namespace, "--kubeconfig", cluster.kubeconfig)
    process = await asyncio.create_subprocess_exec(*command, *where)
    assert await process.wait() == 0

    async def renewed() -> bool:
        new = uids(await pods(user))
        return new.keys() == old.keys() and new[name] != old[name]

    await eventually(renewed)
    await user.until(is_true("Ready"), "ready once more")
    assert {one for one, uid in uids(await pods(user)).items() if uid != old[one]} == {name}


async def one_relayer_may_go_at_a_time(user: FleetUser, cluster: Cluster) -> None:
    """Drain both relayers at once, as whoever empties nodes does."""
    where = f"--namespace={user.namespace}"

    async def one_may_go() -> bool:
        budget = await asyncio.to_thread(
            cluster.get, "poddisruptionbudget", f"{user.name}-relayer", where
        )
        return bool(budget["status"].get("disruptionsAllowed") == 1)

    async def evict(member: str) -> Answer:
        metadata = {"name": f"{user.name}-{member}-0", "namespace": user.namespace}
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
        path = f"/api/v1/namespaces/{user.namespace}/pods/{metadata['name']}/eviction"
        return await asyncio.to_thread(
            cluster.ask, "create", "--raw", path, "-f", "-", text=json.dumps(eviction)
        )

    await eventually(one_may_go)
    answers = await asyncio.gather(evict("relayer-0"), evict("relayer-1"))
    (refused,) = [answer.err for answer in answers if answer.code]
    assert "disruption budget" in refused


async def test_a_change_that_breaks_a_member_stops_there(user: FleetUser, image: str) -> None:
    quiet = {"rollout": {"soak": "1s"}, "canary": {"enabled": False}}
    await user.apply(roles={"relayer": RELAYER}, **quiet)
    await user.until(is_true("Ready"), "ready")
    wrong = {"repository": "statusfleet.test/nothing", "tag": "1", "pullPolicy": "Never"}
    await user.apply(roles={"relayer": RELAYER}, image=wrong, **quiet)
    status = await user.until(has_reason("Progressing", "RolloutStopped"), "stopped")
    assert "relayer-0" in condition(status, "Progressing")["message"]
    assert status["roles"]["relayer"]["ready"] == 1
    repository, _, tag = image.rpartition(":")
    own = {"repository": repository, "tag": tag, "pullPolicy": "Never"}
    await user.apply(roles={"relayer": RELAYER}, image=own, **quiet)
    status = await user.until(
        lambda status: is_true("Ready")(status) and has_reason("Progressing", "Steady")(status),
        "mended",
    )
    assert status["ready"] == "2/2"


async def test_a_deleted_fleet_is_gone_but_for_its_identities(user: FleetUser) -> None:
    await user.apply(roles={"relayer": RELAYER}, canary={"enabled": False})
    await user.until(is_true("Ready"), "ready")
    await user.delete()
    await user.until_gone()

    async def gone() -> bool:
        left = [
            item["metadata"]["name"]
            for kind in (DEPLOYMENT, POD, SERVICE, STATEFUL_SET)
            for item in await user.client.list(
                kind, user.namespace, labels={"statusfleet.io/fleet": user.name}
            )
        ]
        return not left

    await eventually(gone)
    found = await user.client.list(
        SECRET, user.namespace, labels={"statusfleet.io/part": "identity"}
    )
    assert f"{user.name}-relayer-0" in {item["metadata"]["name"] for item in found}
