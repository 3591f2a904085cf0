"""A whole fleet as strangers use it: found in the DNS, dialed at its addresses, given mail.

    this test ── UDP, TCP 53 ──> Service of the fleet's DNS servers
              ── RLPx ─────────> node:port ──> the members' pods

Nothing here is told by the fleet's status but the tree's URL, which users hand to each other.
"""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from statusfleet.canary.config import CanaryConfig, Target
from statusfleet.canary.knock import knocker
from statusfleet.canary.link import CanaryProtocol, Link
from statusfleet.canary.mail import MailKey, Tools, fetch
from statusfleet.canary.message import probe_message, random_topic
from statusfleet.canary.run import run
from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import POD, SERVICE
from statusfleet.plan.settings import PUBLIC_MAIL_PASSWORD
from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.client import DialError, dial
from statusnode.devp2p.protocol import DisconnectReason
from statusnode.discovery.dns import TreeReader
from statusnode.discovery.resolver import DnsResolver
from statusnode.messages.mining import Miner
from statusnode.records.enode import Enode
from support.dns_servers import program
from support.operator_process import PATIENCE_SECONDS, FleetUser, eventually, is_true

DOMAIN = "nodes.outside.example"
EXPOSE = {"type": "NodePort", "addressScope": "Private"}
SPEC: dict[str, Any] = {
    "roles": {
        "relayer": {"replicas": 2, "expose": EXPOSE},
        "mailserver": {"expose": EXPOSE, "storage": {"size": "64Mi"}},
    },
    "canary": {"interval": "2s"},
    "tree": {"domain": DOMAIN, "ttl": {"root": "1s"}},
}


@pytest.fixture
async def mail_tools() -> AsyncIterator[Tools]:
    """What posts and asks for mail."""
    miner = Miner()
    yield Tools(miner, MailKey(), time.time)
    await miner.close()


async def test_a_fleet_is_found_dialed_and_given_mail_by_strangers(
    user: FleetUser, mail_tools: Tools
) -> None:
    await user.apply(**SPEC)
    await user.until(is_true("CanaryPassing"), "proved by its own canary")
    status = await user.until(is_true("TreePropagated"), "propagated")
    servers = await dns_servers(user.client, user.namespace, user.name)
    server = servers[0]

    tree = await TreeReader(DnsResolver((server, 53))).read(status["tree"]["url"])
    assert (tree.problems, tree.warning) == ((), None)
    assert (tree.root.seq, len(tree.nodes)) == (status["tree"]["seq"], 3)
    found = {str(record): record.enode() for record in tree.nodes}
    by_name = {member["name"]: found[member["enr"]] for member in status["members"]}
    for address, flag in itertools.product(servers, ("+notcp", "+tcp")):
        assert dig(address, DOMAIN, flag).startswith('"enrtree-root:v1 ')
    # On a dual-stack cluster each record names two addresses: somebody answers at each.
    knock = knocker(PrivateKey.generate())
    for enode in (enode for record in tree.nodes for enode in record.enodes()):
        assert await knock(enode) == "", enode

    # A stranger's own canary, by a key that no member knows, over the addresses of the tree.
    config = stranger(by_name)
    verdict = await run(config, 0, mail_tools)
    assert verdict.passed, verdict.to_json()
    legs = {(leg.kind.value, leg.member) for leg in verdict.legs}
    assert {("receive", "relayer-1"), ("fetch", "mailserver-0")} <= legs

    await mail_outlives_the_pod(user, config, mail_tools)


async def mail_outlives_the_pod(user: FleetUser, config: CanaryConfig, tools: Tools) -> None:
    """Post at a relayer; have the mailserver's pod made anew; fetch from the new one."""
    topic = random_topic()
    envelope = await probe_message(
        topic, tools.miner, now=time.time(), timeout_seconds=30, min_pow=config.min_pow
    )
    mailserver = config.mailservers[0]
    async with (
        linked(mailserver.address, topic) as mail,
        linked(config.relayers[0].address, topic) as relayer,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        relayer.post(envelope.raw)
        await mail.seen(envelope.hash)
        await fetch(mail, envelope, config, tools)
    name = f"{user.name}-mailserver-0-0"
    old = await user.client.get(POD, user.namespace, name)
    await user.client.delete(POD, user.namespace, name)

    async def renewed() -> bool:
        pod = await user.client.find(POD, user.namespace, name)
        return pod is not None and pod["metadata"]["uid"] != old["metadata"]["uid"]

    await eventually(renewed)
    status = await user.until(is_true("Ready"), "ready again")
    (there,) = (m["enode"] for m in status["members"] if m["name"] == "mailserver-0")
    assert there.partition("@")[0] == str(mailserver.address).partition("@")[0]
    async with linked(Enode.parse(there), topic) as mail, asyncio.timeout(PATIENCE_SECONDS):
        await fetch(mail, envelope, config, tools)


def stranger(members: dict[str, Enode]) -> CanaryConfig:
    """A canary of somebody else, for members that were found."""
    targets = [Target(name=name, enode=str(enode)) for name, enode in sorted(members.items())]
    return CanaryConfig(
        node_key=SecretStr(PrivateKey.generate().data.hex()),
        relayers=tuple(target for target in targets if target.name.startswith("relayer")),
        mailservers=tuple(target for target in targets if target.name.startswith("mailserver")),
        interval_seconds=1.0,
        timeout_seconds=PATIENCE_SECONDS,
        mail_password=SecretStr(PUBLIC_MAIL_PASSWORD),
    )


@asynccontextmanager
async def linked(address: Enode, topic: bytes) -> AsyncIterator[Link]:
    """A session of a stranger with a member; its port may take a moment to lead to a new pod."""
    protocol = CanaryProtocol(topic)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                connection = await dial(address, PrivateKey.generate(), [protocol], 5.0)
                break
            except DialError:
                await asyncio.sleep(0.2)
        assert protocol.link is not None
        await protocol.link.greeted()
    try:
        yield protocol.link
    finally:
        connection.disconnect(DisconnectReason.REQUESTED)


async def dns_servers(client: KubeClient, namespace: str, fleet: str) -> list[str]:
    """The addresses of the Service before the fleet's DNS servers: one of each IP family."""
    service = await client.get(SERVICE, namespace, f"{fleet}-dns")
    return [str(address) for address in service["spec"]["clusterIPs"]]


def dig(server: str, name: str, *flags: str) -> str:
    """What dig says."""
    command = [program("dig", "dig"), f"@{server}", name, "TXT", "+short", *flags]
    return subprocess.check_output(command, text=True)
