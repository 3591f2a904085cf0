"""The image's nodes in real pods: restricted, ready, peers of each other, relaying.

One picture of all of it:

    test ── exec ──> pod relayer on one node <── RLPx over the pods' network ──> pod mailserver
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from support.cluster import Cluster, eventually
from support.cluster_nodes import NodePod, node_pods

PASSWORD = "status-offline-inbox"
# What the kernel and the file system say of the process that runs.
LOOK = """
import errno, json, os
lines = open("/proc/1/status").read().splitlines()
facts = dict(line.split(":\\t") for line in lines if ":\\t" in line)
def refusal(path):
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    except OSError as error:
        return errno.errorcode[error.errno]
print(json.dumps({
    "uid": os.getuid(),
    "capabilities": int(facts["CapEff"], 16) | int(facts["CapBnd"], 16),
    "no new privileges": facts["NoNewPrivs"],
    "seccomp filter": facts["Seccomp"],
    "root": refusal("/opt/statusfleet/x"),
    "tmp": refusal("/tmp/x"),
    "data": refusal("/data/x"),
}))
"""


@pytest.fixture(scope="module")
def pods(cluster: Cluster, namespace: str, image: str) -> Iterator[dict[str, NodePod]]:
    nodes = {
        "relayer": {},
        "mailserver": {
            "EnableMailServer": True,
            "MailServerPassword": PASSWORD,
            "DataDir": "/data/waku",
        },
    }
    with node_pods(cluster, namespace, image, nodes) as running:
        yield running


def test_nodes_are_ready_without_a_restart_on_two_nodes(pods: dict[str, NodePod]) -> None:
    found = [pod.get() for pod in pods.values()]
    assert len({pod["spec"]["nodeName"] for pod in found}) == 2
    for pod in found:
        (status,) = pod["status"]["containerStatuses"]
        assert (status["ready"], status["restartCount"]) == (True, 0)


def test_a_node_has_no_right_that_it_does_not_need(pods: dict[str, NodePod]) -> None:
    for pod in pods.values():
        assert json.loads(pod.python(LOOK)) == {
            "uid": 65532,
            "capabilities": 0,
            "no new privileges": "1",
            "seccomp filter": "2",
            "root": "EROFS",
            "tmp": "EROFS",
            "data": None,
        }


def test_nodes_are_peers_by_name_and_across_nodes(pods: dict[str, NodePod]) -> None:
    infos = {name: pod.call("admin_nodeInfo") for name, pod in pods.items()}
    for name, pod in pods.items():
        (peer,) = pod.call("admin_peers")
        (other,) = (info for of, info in infos.items() if of != name)
        assert peer["id"] == other["id"]
        assert peer["network"]["trusted"]


def test_an_envelope_posted_at_one_node_is_read_at_the_other(pods: dict[str, NodePod]) -> None:
    sender, reader = pods["relayer"], pods["mailserver"]
    keys = {pod: pod.call("waku_generateSymKeyFromPassword", "secret") for pod in (sender, reader)}
    topic = "0x5374666c"
    wanted = {"symKeyID": keys[reader], "topics": [topic]}
    messages = reader.call("waku_newMessageFilter", wanted)
    payload = base64.b64encode(b"across the cluster").decode()
    post = {"symKeyID": keys[sender], "topic": topic, "payload": payload, "ttl": 60}
    sender.call("waku_post", {**post, "powTarget": 0.002, "powTime": 5})
    read: list[str] = []

    def came() -> bool:
        found = reader.call("waku_getFilterMessages", messages)
        read.extend(message["payload"] for message in found)
        return bool(read)

    eventually(came)
    assert read == [payload]


def test_a_node_that_is_told_to_stop_ends_in_good_order(pods: dict[str, NodePod]) -> None:
    pod = pods["relayer"]
    pod.python("import os, signal; os.kill(1, signal.SIGTERM)")

    def ended() -> bool:
        return pod.get()["status"]["phase"] in {"Succeeded", "Failed"}

    eventually(ended)
    (status,) = pod.get()["status"]["containerStatuses"]
    assert status["state"]["terminated"]["exitCode"] == 0
