"""Members that are started anew on a real cluster: what readers of the tree and users notice."""

from __future__ import annotations

from statusfleet.kube.kinds import DEPLOYMENT, EVENT, POD
from support.operator_process import FleetUser, condition, eventually, has_reason, is_true

RELAYER = {"replicas": 2, "expose": {"type": "NodePort", "addressScope": "Private"}}
NOWHERE = {"repository": "statusfleet.test/nothing", "tag": "1", "pullPolicy": "Never"}
QUIET = {
    "canary": {"enabled": False},
    "rollout": {"soak": "0s"},
    "tree": {"domain": "nodes.test.example", "ttl": {"root": "1s"}},
}


async def uids(user: FleetUser) -> dict[str, str]:
    labels = f"statusfleet.io/fleet={user.name},statusfleet.io/ordinal"
    found = await user.client.list(POD, user.namespace, labels=labels)
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in found}


async def settled(user: FleetUser) -> int:
    """Wait until the fleet is whole and its tree proved; return the tree's number."""
    await user.until(is_true("Ready"), "ready")
    status = await user.until(is_true("TreePropagated"), "propagated")
    return int(status["tree"]["seq"])


async def test_members_that_are_started_anew_stay_in_the_tree_and_are_told_of_once(
    user: FleetUser,
) -> None:
    await user.apply(roles={"relayer": RELAYER}, **QUIET)
    before, old = await settled(user), await uids(user)
    changed = {**RELAYER, "template": {"annotations": {"example.org/changed": "yes"}}}
    await user.apply(roles={"relayer": changed}, **QUIET)

    async def renewed() -> bool:
        new = await uids(user)
        return new.keys() == old.keys() and all(new[name] != old[name] for name in old)

    await eventually(renewed)
    # Readers are none the wiser: keys and addresses are the same, and so is the list of them.
    assert await settled(user) == before
    events = await user.client.list(EVENT, user.namespace)
    told = [
        event["message"].split()[0]
        for event in events
        if event["reason"] == "Restarting" and event["involvedObject"]["name"] == user.name
    ]
    assert sorted(told) == ["relayer-0", "relayer-1"]


async def test_a_change_that_breaks_the_only_member_is_told_and_undone(
    user: FleetUser, image: str
) -> None:
    roles = {"relayer": {**RELAYER, "replicas": 1}}

    async def canary_images() -> list[str]:
        found = await user.client.find(DEPLOYMENT, user.namespace, f"{user.name}-canary")
        pod = found["spec"]["template"]["spec"] if found is not None else {"containers": []}
        return [container["image"] for container in pod["containers"]]

    async def is_probed() -> bool:
        return await canary_images() == [image]

    await user.apply(roles=roles)
    await user.until(is_true("Ready"), "ready")
    await eventually(is_probed)
    await user.apply(roles=roles, image=NOWHERE)
    status = await user.until(has_reason("Progressing", "RolloutStopped"), "stopped")
    assert condition(status, "Progressing")["status"] == "False"
    assert "relayer-0: ErrImageNeverPull" in condition(status, "Progressing")["message"]
    assert await is_probed()  # by what worked, since it is the last to be started anew
    repository, _, tag = image.rpartition(":")
    own = {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"}
    await user.apply(roles=roles, image=own)
    await user.until(
        lambda status: is_true("Ready")(status) and has_reason("Progressing", "Steady")(status),
        "mended",
    )


async def test_a_fleet_that_cannot_start_is_said_to_make_no_progress(user: FleetUser) -> None:
    roles = {"relayer": {**RELAYER, "replicas": 1}}
    await user.apply(roles=roles, image=NOWHERE, canary={"enabled": False})
    await user.until(has_reason("Progressing", "Starting"), "starting")
    user.patience_seconds = 180.0
    status = await user.until(has_reason("Progressing", "MembersNotReady"), "stalled")
    assert condition(status, "Progressing")["status"] == "False"
    assert "relayer-0: ErrImageNeverPull" in condition(status, "Progressing")["message"]
    assert status["phase"] == "Degraded"
