"""A fleet's memory on a real API server: made once, moved by compare-and-swap, brought back."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from statusfleet.api.tree import Sink
from statusfleet.kube import ForbiddenError, Kind, KubeClient, NotLeaderError
from statusfleet.kube.kinds import CONFIG_MAP, ROLE, ROLE_BINDING, SECRET
from statusfleet.store import (
    ConflictError,
    CorruptKeyError,
    CorruptStateError,
    Leave,
    SequenceError,
    State,
    StoreError,
    TreeState,
    Underway,
)
from statusfleet.store.identities import CANARY, TREE
from statusfleet.store.kubernetes import KubernetesReader, KubernetesStore
from statusfleet.tree.publication import Publication
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record
from statusnode.records.tree import Tree
from support.fleet_observations import key_of
from support.kube_api import ApiServer


class Watch:
    """In the place of a watch of Secrets and ConfigMaps: what was there when last looked."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self._client, self._namespace = client, namespace
        self.seen: dict[tuple[str, str], str] = {}

    async def look(self) -> None:
        self.seen = {
            (kind.kind, item["metadata"]["name"]): item["metadata"]["resourceVersion"]
            for kind in (SECRET, CONFIG_MAP)
            for item in await self._client.list(kind, self._namespace, metadata_only=True)
        }

    def __call__(self, kind: Kind, name: str) -> str | None:
        return self.seen.get((kind.kind, name))


@pytest.fixture
def store(client: KubeClient, namespace: str) -> KubernetesStore:
    return KubernetesStore(client, namespace, "eth-dev")


def again(store: KubernetesStore) -> KubernetesStore:
    """A store of another process."""
    return KubernetesStore(store._client, store.namespace, store.fleet)


def records(count: int, seq: int = 1) -> list[Record]:
    # One key signs for all but in name: 3,000 signatures are not what is tried here.
    return [Record.sign(key_of(str(i)), seq, ip="192.0.2.1", tcp=30303) for i in range(count)]


def tree_of(nodes: list[Record], seq: int) -> Publication:
    return Publication(Tree.build(nodes, []).sign(key_of("tree"), "nodes.example.org", seq))


async def shards(store: KubernetesStore) -> list[str]:
    found = await store._client.list(CONFIG_MAP, store.namespace, metadata_only=True)
    return [i["metadata"]["name"] for i in found if i["metadata"]["name"] != "eth-dev-state"]


async def secret(store: KubernetesStore, name: str) -> Mapping[str, str]:
    found = await store._client.get(SECRET, store.namespace, name)
    assert "ownerReferences" not in found["metadata"]
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


async def test_keys_are_made_once_and_under_their_names(store: KubernetesStore) -> None:
    member = await store.ensure_member_key("mailserver-12")
    tree, canary = await store.ensure_tree_key(), await store.ensure_canary_key()
    other = again(store)
    assert (await other.ensure_member_key("mailserver-12")).data == member.data
    assert (await other.ensure_tree_key()).data == tree.data
    assert (await other.ensure_canary_key()).data == canary.data
    assert await secret(store, "eth-dev-mailserver-12") == {"nodekey": member.data.hex()}
    assert await secret(store, "eth-dev-tree") == {"signingkey": tree.data.hex()}
    assert await secret(store, "eth-dev-canary") == {"nodekey": canary.data.hex()}
    listed = await other.identities.list()
    assert {name: key.data for name, key in listed.items()} == {
        "mailserver-12": member.data,
        TREE: tree.data,
        CANARY: canary.data,
    }


async def test_what_older_servers_need_not_know_stands_beside_the_head_that_they_read(
    store: KubernetesStore,
) -> None:
    sink = Sink.model_validate({"zoneFile": {"configMap": "zone"}})
    underway = Underway({"relayer-1": Leave(1e9, 1e9 + 300)}, ("relayer-0",))
    state = await store.read()
    tree = TreeState(1, tree_of(records(2), 1), shown={sink.name: sink})
    state = await store.write(replace(state, tree=tree, underway=underway))
    found = await store._client.get(CONFIG_MAP, store.namespace, "eth-dev-state")
    assert not any(word in found["data"]["state.json"] for word in ("zone", "relayer"))
    assert "zoneFile" in found["data"]["sinks.json"]
    assert "relayer-1" in found["data"]["underway.json"]
    assert await again(store).read() == state
    state = await store.write(replace(state, tree=replace(tree, shown={}), underway=Underway()))
    assert await again(store).read() == state
    found = await store._client.get(CONFIG_MAP, store.namespace, "eth-dev-state")
    assert found["data"].keys() == {"state.json"}


async def test_of_many_who_make_a_key_all_get_the_same(store: KubernetesStore) -> None:
    keys = await asyncio.gather(*(again(store).ensure_member_key("relayer-0") for _ in range(10)))
    assert len({key.data for key in keys}) == 1


async def test_a_secret_that_is_there_is_taken_and_left_as_it_is(store: KubernetesStore) -> None:
    given = PrivateKey.generate()
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": store.namespace, "name": "eth-dev-relayer-0"},
        "stringData": {"nodekey": given.data.hex() + "\n", "note": "mine"},
    }
    made = await store._client.create(body)
    assert (await store.ensure_member_key("relayer-0")).data == given.data
    assert await store._client.get(SECRET, store.namespace, "eth-dev-relayer-0") == made
    await store.forget()
    assert await store._client.get(SECRET, store.namespace, "eth-dev-relayer-0") == made


@pytest.mark.parametrize("data", [{}, {"nodekey": ""}, {"nodekey": "zz"}, {"nodekey": "00" * 32}])
async def test_a_secret_without_a_key_is_refused_by_name_and_left_alone(
    store: KubernetesStore, data: dict[str, str]
) -> None:
    metadata = {"namespace": store.namespace, "name": "eth-dev-relayer-0"}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}
    made = await store._client.create(body)
    with pytest.raises(CorruptKeyError, match="/eth-dev-relayer-0 is no key"):
        await store.ensure_member_key("relayer-0")
    assert await store._client.get(SECRET, store.namespace, "eth-dev-relayer-0") == made


async def test_one_secret_without_a_key_keeps_no_other_from_being_read(
    client: KubeClient, namespace: str
) -> None:
    store = KubernetesStore(client, namespace, "eth-dev")
    good = await store.ensure_member_key("relayer-0")
    await store.ensure_member_key("relayer-1")
    made = await client.get(SECRET, namespace, "eth-dev-relayer-1")
    await client.delete(SECRET, namespace, "eth-dev-relayer-1")
    metadata = {k: made["metadata"][k] for k in ("namespace", "name", "labels")}
    await client.create({**made, "metadata": metadata, "data": {}})
    watch = Watch(client, namespace)
    await watch.look()
    fresh = KubernetesStore(client, namespace, "eth-dev", watched=watch)
    assert (await fresh.ensure_member_key("relayer-0")).data == good.data
    with pytest.raises(CorruptKeyError, match="/eth-dev-relayer-1 is no key"):
        await fresh.ensure_member_key("relayer-1")


async def test_a_copy_of_an_identity_under_another_name_is_nobody_s(
    client: KubeClient, namespace: str
) -> None:
    store = KubernetesStore(client, namespace, "eth-dev")
    key = await store.ensure_member_key("relayer-0")
    made = await client.get(SECRET, namespace, "eth-dev-relayer-0")
    for name in ("eth-dev-relayer-0-backup", "backup"):
        metadata = {"namespace": namespace, "name": name, "labels": made["metadata"]["labels"]}
        await client.create({**made, "metadata": metadata})
    watch = Watch(client, namespace)
    await watch.look()
    fresh = KubernetesStore(client, namespace, "eth-dev", watched=watch)
    assert (await fresh.ensure_member_key("relayer-0")).data == key.data
    assert (await fresh.export()).keys.keys() == {"relayer-0"}
    await fresh.forget()
    assert await client.find(SECRET, namespace, "eth-dev-relayer-0") is None
    assert await client.find(SECRET, namespace, "eth-dev-relayer-0-backup") is not None


@pytest.mark.parametrize("name", ["", "relayer", "relayer--1", "relayer-00", "x-0", "tree-0"])
async def test_only_members_have_identities(store: KubernetesStore, name: str) -> None:
    with pytest.raises(StoreError, match="is no member's name"):
        await store.ensure_member_key(name)


async def test_a_secret_that_was_deleted_comes_back_with_its_key(
    client: KubeClient, namespace: str
) -> None:
    watch = Watch(client, namespace)
    store = KubernetesStore(client, namespace, "eth-dev", watched=watch)
    key = await store.ensure_member_key("relayer-0")
    await client.delete(SECRET, namespace, "eth-dev-relayer-0")
    assert (await store.ensure_member_key("relayer-0")).data == key.data
    assert (await again(store).ensure_member_key("relayer-0")).data == key.data


async def test_at_rest_nothing_is_asked(
    client: KubeClient, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(client, namespace)
    store = KubernetesStore(client, namespace, "eth-dev", watched=watch)
    key = await store.ensure_member_key("relayer-0")
    state = await store.write(State(tree=TreeState(1, tree_of(records(3), 1))))
    await watch.look()

    async def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the API was asked")

    monkeypatch.setattr(client, "_send", refuse)
    assert (await store.ensure_member_key("relayer-0")).data == key.data
    assert await store.read() is state


async def test_the_keys_of_a_fleet_are_learnt_by_one_request(
    client: KubeClient, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [
        (await KubernetesStore(client, namespace, "eth-dev").ensure_member_key(f"relayer-{i}")).data
        for i in range(5)
    ]
    watch = Watch(client, namespace)
    await watch.look()
    store = KubernetesStore(client, namespace, "eth-dev", watched=watch)
    asked: list[str] = []
    send = client._send

    async def counting(what: str, *rest: str, **named: object) -> object:
        asked.append(what)
        return await send(what, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(client, "_send", counting)
    found = await asyncio.gather(*(store.ensure_member_key(f"relayer-{i}") for i in range(5)))
    assert [key.data for key in found] == keys
    assert asked == [f"list Secret {namespace}"]


async def test_what_was_written_is_remembered(store: KubernetesStore) -> None:
    assert await store.read() == State()
    nodes = records(20)
    first = await store.write(State(records={"relayer-0": str(nodes[0])}, ports={"a": 1}))
    assert (first.fleet, first.revision) == ("eth-dev", 1)
    second = await store.write(replace(first, tree=TreeState(9, tree_of(nodes, 9))))
    assert await store.read() == second
    assert await again(store).read() == second
    assert await shards(store) == []


async def test_of_many_writers_one_wins(store: KubernetesStore) -> None:
    state = await store.write(State())
    others = [again(store) for _ in range(6)]
    for other in others:
        await other.read()
    results = await asyncio.gather(
        *(o.write(replace(state, ports={"p": n})) for n, o in enumerate(others)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, ConflictError) for result in results) == 5
    assert (await store.read()).revision == 2
    # Who lost reads again, decides again, and wins.
    loser = next(o for o, r in zip(others, results, strict=True) if isinstance(r, ConflictError))
    await loser.write(replace(await loser.read(), ports={"p": 9}))
    assert (await store.read()).ports == {"p": 9}


async def test_a_watch_that_is_behind_misleads_nobody_for_long(
    client: KubeClient, namespace: str
) -> None:
    watch = Watch(client, namespace)
    store = KubernetesStore(client, namespace, "eth-dev", watched=watch)
    state = await store.write(State())
    await watch.look()
    newer = await again(store).write(replace(await again(store).read(), ports={"p": 1}))
    with pytest.raises(ConflictError):
        await store.write(replace(state, ports={"p": 2}))
    assert await store.read() == newer


async def test_a_number_never_falls(store: KubernetesStore) -> None:
    state = await store.write(State(tree=TreeState(seq=9)))
    with pytest.raises(SequenceError):
        await store.write(replace(state, tree=TreeState(seq=8)))
    assert await store.read() == state


async def test_a_state_that_was_deleted_comes_back_with_its_numbers(
    store: KubernetesStore,
) -> None:
    state = await store.write(State(tree=TreeState(9, tree_of(records(3), 9))))
    await store._client.delete(CONFIG_MAP, store.namespace, "eth-dev-state")
    assert (await store.read()).tree == state.tree
    assert (await again(store).read()).tree == state.tree


async def test_a_state_that_was_deleted_comes_back_although_the_first_attempt_fails(
    client: KubeClient, namespace: str
) -> None:
    watch, may_write = Watch(client, namespace), True
    async with KubeClient(client.connection, may_write=lambda: may_write) as writer:
        store = KubernetesStore(writer, namespace, "eth-dev", watched=watch)
        state = await store.write(State(tree=TreeState(9)))
        await client.delete(CONFIG_MAP, namespace, "eth-dev-state")
        await watch.look()
        may_write = False
        with pytest.raises(NotLeaderError):
            await store.read()
        may_write = True
        assert (await store.read()).tree == state.tree
        assert (await again(store).read()).tree == state.tree


async def test_an_old_copy_does_not_turn_the_numbers_back(store: KubernetesStore) -> None:
    first = await store.write(State(tree=TreeState(1)))
    copy = await store._client.get(CONFIG_MAP, store.namespace, "eth-dev-state")
    second = await store.write(replace(first, tree=TreeState(2)))
    await store._client.delete(CONFIG_MAP, store.namespace, "eth-dev-state")
    metadata = {k: copy["metadata"][k] for k in ("namespace", "name", "labels")}
    await store._client.create(copy | {"metadata": metadata})
    assert (await store.read()).tree == second.tree
    assert (await again(store).read()).tree == second.tree


async def test_a_large_tree_stands_in_shards_and_a_change_writes_little(
    client: KubeClient, namespace: str
) -> None:
    watch = Watch(client, namespace)
    store = KubernetesStore(client, namespace, "eth-dev", watched=watch)
    nodes = records(3000)
    members = {f"relayer-{i}": str(node) for i, node in enumerate(nodes[:500])}
    state = await store.write(State(records=members, tree=TreeState(1, tree_of(nodes, 1))))
    first = await shards(store)
    assert len(first) >= 1
    for name in first:
        shard = await client.get(CONFIG_MAP, namespace, name)
        assert shard["immutable"] is True
        assert len(json.dumps(shard["data"])) < 700 * 1024
    assert await again(store).read() == state
    assert state.tree.publication is not None
    nodes[7] = Record.sign(key_of("7"), 2, ip="192.0.2.2", tcp=30303)
    signed = tree_of(nodes, 2).tree
    after = state.tree.publication.replaced_by(signed, now=1e9, root_ttl_seconds=60)
    state = await store.write(replace(state, tree=TreeState(2, after)))
    assert await shards(store) == first
    head = await client.get(CONFIG_MAP, namespace, "eth-dev-state")
    assert len(head["data"]["state.json"]) < 100_000
    assert await again(store).read() == state
    # A shard that somebody deletes comes back, in a new one.
    await watch.look()
    await client.delete(CONFIG_MAP, namespace, first[0])
    with pytest.raises(CorruptStateError, match="names a shard that is not there"):
        await again(store).read()
    await watch.look()
    assert (await store.read()).tree == state.tree
    assert (await again(store).read()).tree == state.tree
    # A tree that shrank needs none, and leaves none behind.
    small = replace(await store.read(), records=members, tree=TreeState(3, tree_of(nodes[:5], 3)))
    await store.write(small)
    assert len(await shards(store)) <= 1
    await store.forget()
    assert await shards(store) == []


async def test_shards_that_no_head_came_to_name_are_swept(store: KubernetesStore) -> None:
    state = await store.write(State())
    # A writer that was killed between its shard and its head, and one that may still go on.
    for revision in (2, 3):
        body = store._shard_body(f"eth-dev-state-{revision}-0-x", revision, {"A": "enr:-x"})
        await store._client.create(body)
    await again(store).write(state)
    assert await shards(store) == ["eth-dev-state-3-0-x"]


async def test_a_damaged_state_is_refused_and_left_alone(store: KubernetesStore) -> None:
    await store.write(State(tree=TreeState(4)))
    damage = {"data": {"state.json": '{"fleet": "eth-dev"'}}
    await store._client.patch(CONFIG_MAP, store.namespace, "eth-dev-state", damage)
    with pytest.raises(CorruptStateError, match="eth-dev-state is damaged"):
        await again(store).read()
    found = await store._client.get(CONFIG_MAP, store.namespace, "eth-dev-state")
    assert found["data"] == damage["data"]


async def test_a_state_belongs_to_one_fleet(store: KubernetesStore) -> None:
    await store.write(State())
    other = {"data": {"state.json": '{"fleet": "other", "revision": 1}'}}
    await store._client.patch(CONFIG_MAP, store.namespace, "eth-dev-state", other)
    with pytest.raises(StoreError, match="belongs to the fleet other, not eth-dev"):
        await again(store).read()


async def test_two_fleets_of_one_namespace_do_not_meet(client: KubeClient, namespace: str) -> None:
    one, two = (KubernetesStore(client, namespace, name) for name in ("eth", "eth-relayer-0"))
    for store in (one, two):
        await store.ensure_member_key("relayer-0")
        await store.ensure_tree_key()
        await store.write(State(ports={store.fleet: 1}))
    await one.forget()
    assert (await two.read()).ports == {"eth-relayer-0": 1}
    assert (await two.identities.list()).keys() == {"relayer-0", TREE}
    assert await one.read() == State()


async def test_a_reader_needs_no_right_to_secrets(
    api_server: ApiServer, store: KubernetesStore
) -> None:
    state = await store.write(State(tree=TreeState(1, tree_of(records(2), 1))))
    metadata = {"namespace": store.namespace, "name": "reader"}
    api = ROLE.api_version
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]
    await store._client.create(
        {"apiVersion": api, "kind": "Role", "metadata": metadata, "rules": rules}
    )
    await store._client.create(
        {
            "apiVersion": ROLE_BINDING.api_version,
            "kind": "RoleBinding",
            "metadata": metadata,
            "subjects": [{"kind": "User", "name": "nobody", "apiGroup": api.split("/")[0]}],
            "roleRef": {"kind": "Role", "name": "reader", "apiGroup": api.split("/")[0]},
        }
    )
    async with await KubeClient.connect(api_server.kubeconfig("nobody")) as stranger:
        async with asyncio.timeout(30):
            while True:
                try:
                    found = await KubernetesReader(stranger, store.namespace, "eth-dev").read()
                    break
                except ForbiddenError:
                    await asyncio.sleep(0.1)  # The authorizer's own watch is a moment behind.
        assert found == state
        with pytest.raises(ForbiddenError):
            await stranger.list(SECRET, store.namespace)
