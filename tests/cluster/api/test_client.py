"""What a real API server makes of each call."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from statusfleet.kube import (
    AlreadyExistsError,
    ConflictError,
    FieldConflictError,
    ForbiddenError,
    InvalidError,
    KubeClient,
    NotFoundError,
)
from statusfleet.kube.client import ABSENT
from statusfleet.kube.kinds import CONFIG_MAP, NAMESPACE, POD, SECRET, SERVICE, Kind
from support.kube_api import ApiServer

PATIENCE_SECONDS = 30


def config_map(namespace: str, name: str, /, **data: str) -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


async def test_an_object_is_made_read_replaced_and_deleted(
    client: KubeClient, namespace: str
) -> None:
    made = await client.create(config_map(namespace, "a", x="1"))
    assert await client.get(CONFIG_MAP, namespace, "a") == made
    with pytest.raises(AlreadyExistsError):
        await client.create(config_map(namespace, "a", x="2"))
    changed = await client.replace(made | {"data": {"x": "2"}})
    with pytest.raises(ConflictError):
        await client.replace(made | {"data": {"x": "3"}})
    assert (await client.get(CONFIG_MAP, namespace, "a"))["data"] == {"x": "2"}
    with pytest.raises(ValueError, match="whatever it is"):
        await client.replace(config_map(namespace, "a"))
    uid = changed["metadata"]["uid"]
    with pytest.raises(ConflictError):
        await client.delete(CONFIG_MAP, namespace, "a", uid="another")
    old = made["metadata"]["resourceVersion"]
    with pytest.raises(ConflictError):
        await client.delete(CONFIG_MAP, namespace, "a", resource_version=old)
    assert await client.delete(CONFIG_MAP, namespace, "a", uid=uid)
    assert not await client.delete(CONFIG_MAP, namespace, "a", uid=uid)
    assert await client.find(CONFIG_MAP, namespace, "a") is None
    with pytest.raises(NotFoundError):
        await client.replace(changed)


async def test_what_is_applied_no_more_goes_away(client: KubeClient, namespace: str) -> None:
    await client.apply(config_map(namespace, "a", x="1", y="1"))
    applied = await client.apply(config_map(namespace, "a", x="2"))
    assert applied["data"] == {"x": "2"}


async def test_to_apply_the_same_again_changes_nothing(client: KubeClient, namespace: str) -> None:
    first = await client.apply(config_map(namespace, "a", x="1"))
    assert await client.apply(config_map(namespace, "a", x="1")) == first


async def test_what_nobody_may_have_made_yet_is_made_once_and_stays_ours_to_take_out(
    client: KubeClient, namespace: str
) -> None:
    made = await client.apply(config_map(namespace, "a", x="1", y="1"), resource_version=ABSENT)
    # Another's field in the way is told as such; without one, that the object is there at all.
    for body, refused in (
        (config_map(namespace, "a", z="1"), ConflictError),
        (config_map(namespace, "a", x="2"), FieldConflictError),
    ):
        with pytest.raises(ConflictError) as error:
            await client.apply(body, resource_version=ABSENT, field_manager="somebody")
        assert type(error.value) is refused
    assert await client.get(CONFIG_MAP, namespace, "a") == made
    version = made["metadata"]["resourceVersion"]
    less = config_map(namespace, "a", x="1")
    assert (await client.apply(less, resource_version=version))["data"] == {"x": "1"}
    with pytest.raises(ConflictError):
        await client.apply(less, resource_version=version)


async def test_of_many_who_make_an_object_at_a_time_one_does(
    client: KubeClient, namespace: str
) -> None:
    bodies = [config_map(namespace, "a", **{f"x{number}": ""}) for number in range(16)]
    told = await asyncio.gather(
        *(client.apply(body, resource_version=ABSENT) for body in bodies), return_exceptions=True
    )
    (made,) = [answer for answer in told if isinstance(answer, dict)]
    assert sum(isinstance(answer, ConflictError) for answer in told) == len(bodies) - 1
    assert await client.get(CONFIG_MAP, namespace, "a") == made


async def test_a_field_of_somebody_else_is_a_conflict_with_names(
    client: KubeClient, namespace: str
) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": namespace, "name": "a"},
        "spec": {"ports": [{"name": "p2p", "port": 30303}]},
    }
    await client.apply(service)
    user = {"metadata": {"labels": {"team": "red"}}, "spec": {"sessionAffinity": "ClientIP"}}
    await as_user(client, SERVICE.path(namespace, "a"), service | user)
    # What the user set is left alone for as long as we do not want it as well …
    applied = await client.apply(service)
    assert applied["spec"]["sessionAffinity"] == "ClientIP"
    assert applied["metadata"]["labels"] == {"team": "red"}
    # … and then is a conflict, not a fight.
    wished = service | {"spec": service["spec"] | {"sessionAffinity": "None"}}  # type: ignore[operator]
    with pytest.raises(FieldConflictError) as refused:
        await client.apply(wished)
    assert refused.value.fields == ((".spec.sessionAffinity", "somebody"),)
    forced = await client.apply(wished, force=True)
    assert forced["spec"]["sessionAffinity"] == "None"


async def as_user(client: KubeClient, path: str, body: dict[str, Any]) -> None:
    """Apply as `kubectl apply --server-side --field-manager=somebody` does."""
    request = await client._transport._api.param_serialize(
        "PATCH",
        path,
        query_params=[("fieldManager", "somebody"), ("force", "true")],
        header_params={"Content-Type": "application/apply-patch+yaml"},
        auth_settings=["BearerToken"],
    )
    answer = await client._transport._api.rest_client.request(
        request[0], request[1], headers=request[2], body=body
    )
    assert answer.status == 200, await answer.read()


async def test_a_dry_run_tells_and_writes_nothing(client: KubeClient, namespace: str) -> None:
    told = await client.apply(config_map(namespace, "a", x="1"), dry_run=True)
    assert told["data"] == {"x": "1"}
    assert await client.find(CONFIG_MAP, namespace, "a") is None


async def test_a_patch_with_a_version_loses_against_a_change(
    client: KubeClient, namespace: str
) -> None:
    made = await client.create(config_map(namespace, "a", x="1"))
    version = {"resourceVersion": made["metadata"]["resourceVersion"]}
    finalizers = {"metadata": version | {"finalizers": ["statusfleet.io/cleanup"]}}
    patched = await client.patch(CONFIG_MAP, namespace, "a", finalizers)
    assert patched["metadata"]["finalizers"] == ["statusfleet.io/cleanup"]
    with pytest.raises(ConflictError):
        await client.patch(CONFIG_MAP, namespace, "a", {"metadata": version | {"finalizers": []}})
    await client.patch(CONFIG_MAP, namespace, "a", {"metadata": {"finalizers": None}})


async def test_a_status_is_set_as_a_whole_and_apart_from_the_rest(
    client: KubeClient, namespace: str
) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": "a"},
        "spec": {"containers": [{"name": "c", "image": "none"}]},
    }
    made = await client.create(pod)
    set_once = await client.patch_status(
        POD, namespace, "a", {"message": "hello", "reason": "Because"}
    )
    assert (set_once["status"]["message"], set_once["status"]["reason"]) == ("hello", "Because")
    again = await client.patch_status(POD, namespace, "a", {"message": "hello"})
    assert "reason" not in again["status"]
    assert again["spec"] == made["spec"]
    with pytest.raises(ConflictError):
        await client.patch_status(
            POD,
            namespace,
            "a",
            {"message": "late"},
            resource_version=made["metadata"]["resourceVersion"],
        )
    with pytest.raises(NotFoundError):
        await client.patch_status(POD, namespace, "none", {"message": "hello"})


async def test_lists_are_read_page_by_page_and_chosen_by_label(
    client: KubeClient, namespace: str
) -> None:
    for i in range(7):
        body = config_map(namespace, f"a{i}", x="content")
        body["metadata"]["labels"] = {"odd": str(i % 2)}
        await client.create(body)
    paged = [item async for item in client.iterate(CONFIG_MAP, namespace, page=2)]
    assert [item["metadata"]["name"] for item in paged] == [f"a{i}" for i in range(7)]
    odd = await client.list(CONFIG_MAP, namespace, labels={"odd": "1"}, metadata_only=True)
    assert [item["metadata"]["name"] for item in odd] == ["a1", "a3", "a5"]
    assert all(item["kind"] == "ConfigMap" and "data" not in item for item in odd)
    everywhere = await client.list(CONFIG_MAP, labels="odd=0,odd in (0)")
    assert {i["metadata"]["namespace"] for i in everywhere} == {namespace}


async def test_wrong_objects_are_refused_with_their_fields(
    client: KubeClient, namespace: str
) -> None:
    with pytest.raises(InvalidError) as refused:
        await client.create(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"namespace": namespace, "name": "a"},
                "spec": {"ports": []},
            }
        )
    assert [cause.field for cause in refused.value.causes] == ["spec.ports"]
    with pytest.raises(NotFoundError):
        await client.list(Kind("statusfleet.io/v1", "Nothing", "nothings"), namespace)


async def test_a_missing_right_is_told_with_the_right(
    api_server: ApiServer, client: KubeClient, namespace: str
) -> None:
    path = api_server.kubeconfig("nobody", namespace)
    async with await KubeClient.connect(path) as stranger:
        assert stranger.namespace == namespace
        with pytest.raises(ForbiddenError, match='cannot list resource "secrets"') as refused:
            await stranger.list(SECRET, namespace)
    assert not refused.value.namespace_ends


async def test_nothing_is_made_in_a_namespace_that_ends(client: KubeClient, namespace: str) -> None:
    # Without a controller the namespace stays like that.
    await client.delete(NAMESPACE, "", namespace)
    with pytest.raises(ForbiddenError) as refused:
        await client.create(config_map(namespace, "a"))
    assert refused.value.namespace_ends


async def test_one_object_is_followed_through_its_life(client: KubeClient, namespace: str) -> None:
    follower = client.follow(CONFIG_MAP, namespace, "a")

    async def until(wanted: str | None) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for found in follower:
                if (found["data"]["x"] if found else None) == wanted:
                    return

    await until(None)
    made = await client.create(config_map(namespace, "a", x="1"))
    await client.create(config_map(namespace, "b", x="other"))
    await until("1")
    await client.replace(made | {"data": {"x": "2"}})
    await until("2")
    await client.delete(CONFIG_MAP, namespace, "a")
    await until(None)
    await follower.aclose()


async def test_the_log_of_no_pod_is_not_found(client: KubeClient, namespace: str) -> None:
    with pytest.raises(NotFoundError):
        async for _ in client.logs(namespace, "none", tail_lines=1):
            pass


async def test_the_server_tells_its_version(client: KubeClient) -> None:
    assert (await client.server_version()).startswith("v1.")
