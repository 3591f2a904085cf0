"""A fleet's DNS servers as real pods, asked from outside: they come and go, the tree is whole."""

from __future__ import annotations

import asyncio
import json
import shutil

import pytest

from statusfleet.api.tree import DNSService
from statusfleet.kube.kinds import NODE, POD
from support.cluster import Cluster
from support.dns_pods import FLEET, Servers
from support.killed_publisher import Errand, publishers
from support.killing import killed_at_each_step
from support.records import DOMAIN, vector_tree
from support.tree_walker import walking

URL = vector_tree(0).url


async def dig(address: tuple[str, int], name: str, *flags: str) -> list[str]:
    """Return what dig prints of the answer's texts, each whole."""
    program = shutil.which("dig")
    if program is None:
        pytest.skip("needs dig")
    host, port = address
    command = [program, f"@{host}", "-p", str(port), name, "TXT", "+short", "+tries=9", *flags]
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await child.communicate()
    assert child.returncode == 0
    lines = out.decode().splitlines()
    # A first try may be too early for the network; dig tells of it in a comment.
    return [line.replace('" "', "").strip('"') for line in lines if not line.startswith(";")]


async def test_two_servers_on_two_nodes_answer_udp_and_tcp_to_whoever_is_outside(
    servers: Servers,
) -> None:
    state = await servers.publish(range(14))
    pods = await servers.pods()
    nodes = await servers.client.list(NODE)
    assert len(pods) == 2
    assert len({pod["spec"]["nodeName"] for pod in pods}) == min(2, len(nodes))
    places = [(pod["status"]["podIP"], 5353) for pod in pods] + [await servers.address()]
    leaf = max(vector_tree(14).records().items(), key=lambda item: len(item[1]))
    assert len(leaf[1]) > 255
    for place in places:
        for flag in ("+notcp", "+tcp"):
            (root,) = await dig(place, DOMAIN, flag)
            assert f"seq={state.seq} " in root
            assert await dig(place, leaf[0], flag) == [leaf[1]]
        async with walking(URL, place) as walks:
            pass
        assert walks.seqs == [state.seq]


async def test_a_drain_takes_one_server_at_a_time(servers: Servers, cluster: Cluster) -> None:
    names = [pod["metadata"]["name"] for pod in await servers.pods()]
    codes = []
    for name in names:
        metadata = {"name": name, "namespace": servers.namespace}
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
        path = f"/api/v1/namespaces/{servers.namespace}/pods/{name}/eviction"
        answer = await asyncio.to_thread(
            cluster.ask, "create", "--raw", path, "-f", "-", text=json.dumps(eviction)
        )
        codes.append((answer.code, answer.err))
    assert codes[0][0] == 0
    assert "disruption budget" in codes[1][1]
    await servers.until_both_are_ready(without=frozenset(names[:1]))


async def test_the_servers_may_read_config_maps_that_they_can_name_and_nothing_else(
    servers: Servers, cluster: Cluster
) -> None:
    account = f"--as=system:serviceaccount:{servers.namespace}:{FLEET}-dns"

    def may(*what: str) -> bool:
        return cluster.ask("auth", "can-i", *what, account, "-n", servers.namespace).code == 0

    assert may("get", "configmaps")
    assert may("watch", f"configmaps/{FLEET}-dns")
    for verb in ("list", "watch", "create", "update", "patch", "delete"):
        assert not may(verb, "configmaps"), verb
    for kind in ("secrets", "pods", "statusfleets.statusfleet.io"):
        assert not may("get", kind), kind


async def test_the_service_is_reached_from_outside_by_a_port_of_every_node(
    servers: Servers,
) -> None:
    await servers.apply(DNSService(type="NodePort", annotations={"example.org/note": "mine"}))
    service = await servers.service()
    assert service["metadata"]["annotations"]["example.org/note"] == "mine"
    ports = {port["protocol"]: port["nodePort"] for port in service["spec"]["ports"]}
    state = await servers.publish(range(14))
    for node in await servers.client.list(NODE):
        host = next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")
        (root,) = await dig((host, ports["UDP"]), DOMAIN, "+notcp")
        assert f"seq={state.seq} " in root
        assert await dig((host, ports["TCP"]), DOMAIN, "+tcp") == [root]
    await servers.apply()
    assert (await servers.service())["spec"]["type"] == "ClusterIP"


@pytest.mark.slow
async def test_a_reader_that_never_stops_misses_nothing_while_servers_are_killed_one_by_one(
    servers: Servers,
) -> None:
    changes = 0
    async with walking(URL, await servers.address()) as walks:
        for seconds in (None, 0, None, 0):  # told to end, and killed at once
            victim = (await servers.pods())[0]["metadata"]["name"]
            await servers.client.delete(POD, servers.namespace, victim, grace_seconds=seconds)
            for _ in range(3):
                changes += 1
                await servers.publish(range(changes, changes + 16))
            await servers.until_both_are_ready(without=frozenset((victim,)))
    assert len(walks.seqs) > 1


@pytest.mark.slow
async def test_a_reader_that_never_stops_sees_no_missing_entry_in_200_changes(
    servers: Servers,
) -> None:
    async with walking(URL, await servers.address()) as walks:
        for change in range(1, 201):
            # 50 changes are two hours: then the entries of a tree that nobody reads go.
            servers.clock += 144
            state = await servers.publish(range(change, change + 16))
    assert len(walks.seqs) > 1
    assert state.seq == 201


@pytest.mark.slow
async def test_a_publisher_killed_at_any_step_leaves_a_whole_tree_and_the_next_one_ends_its_work(
    servers: Servers, cluster: Cluster
) -> None:
    errand = Errand(servers.namespace, 0, 16, servers.clock, kubeconfig=cluster.kubeconfig)
    async with publishers() as others:
        steps = await killed_at_each_step(others, errand, await servers.address())
    assert steps > 6
