"""`waku_…`: what is posted on one node is read on another."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from statusnode.crypto.keys import PrivateKey
from statusnode.messages.composing import Draft, compose
from statusnode.relay.settings import RelaySettings
from support.rpc_client import CallError, HttpCaller, http_caller
from support.rpc_node import RpcNode, rpc_node

TOPIC = "0xcd423760"
FULL = RelaySettings(full_node=True)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[RpcNode, RpcNode]]:
    """Two connected full nodes."""
    async with (
        rpc_node(tmp_path / "a", relay=FULL) as one,
        rpc_node(tmp_path / "b", relay=FULL) as two,
    ):
        one.server.add_static(two.server.self_enode)
        async with asyncio.timeout(60):
            while not all(part.messaging.relay.links() for part in (one, two)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        yield one, two


async def drained(call: HttpCaller, filter_id: str, count: int = 1) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        while len(messages) < count:
            messages += await call("waku_getFilterMessages", filter_id)
            await asyncio.sleep(0.01)
    return messages


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def test_a_signed_message_for_a_chat_reaches_its_filter_on_another_node(
    pair: tuple[RpcNode, RpcNode],
) -> None:
    one, two = pair
    async with http_caller(one.http_port) as sender, http_caller(two.http_port) as reader:
        signer = await sender("waku_newKeyPair")
        chat = await reader("waku_generateSymKeyFromPassword", "status")
        filter_id = await reader("waku_newMessageFilter", {"symKeyID": chat, "topics": [TOPIC]})
        posted = await sender(
            "waku_post",
            {
                "symKeyID": await sender("waku_generateSymKeyFromPassword", "status"),
                "sig": signer,
                "topic": TOPIC,
                "payload": b64(b"hello"),
                "padding": b64(b"pad"),
                "ttl": 10,
                "powTarget": 0.002,
                "powTime": 5,
            },
        )

        (message,) = await drained(reader, filter_id)
        public_key = bytes.fromhex((await sender("waku_getPublicKey", signer))[2:])
        assert message["sig"] == b64(public_key)
        assert message["hash"] == b64(bytes.fromhex(posted[2:]))
        assert (message["payload"], message["padding"]) == (b64(b"hello"), b64(b"pad"))
        assert (message["topic"], message["ttl"]) == (TOPIC, 10)
        assert message["pow"] >= 0.002
        assert set(message) == {
            *("sig", "ttl", "timestamp", "topic", "payload", "padding", "pow", "hash")
        }
        assert await reader("waku_getFilterMessages", filter_id) == []


async def test_a_message_for_a_person_is_read_by_them_alone(
    pair: tuple[RpcNode, RpcNode],
) -> None:
    one, two = pair
    async with http_caller(one.http_port) as sender, http_caller(two.http_port) as reader:
        owner, stranger = await reader("waku_newKeyPair"), await reader("waku_newKeyPair")
        theirs = await reader("waku_newMessageFilter", {"privateKeyID": owner})
        others = await reader("waku_newMessageFilter", {"privateKeyID": stranger})
        public_key = b64(bytes.fromhex((await reader("waku_getPublicKey", owner))[2:]))
        await sender("waku_post", {"pubKey": public_key, "powTarget": 0.00001, "powTime": 5})

        (message,) = await drained(reader, theirs)
        assert message["recipientPublicKey"] == public_key
        assert (message["payload"], message["ttl"]) == ("", 50)
        assert "sig" not in message
        assert await reader("waku_getFilterMessages", others) == []


async def test_a_direct_message_goes_to_one_peer_that_trusts_us(
    pair: tuple[RpcNode, RpcNode],
) -> None:
    one, two = pair
    async with http_caller(one.http_port) as sender, http_caller(two.http_port) as reader:
        key = "0x" + "33" * 32
        criteria = {"symKeyID": await reader("waku_addSymKey", key), "allowP2P": True}
        filter_id = await reader("waku_newMessageFilter", criteria)
        assert await reader("waku_markTrustedPeer", str(one.server.self_enode)) is True
        direct = {
            "symKeyID": await sender("waku_addSymKey", key),
            "topic": TOPIC,
            "targetPeer": str(two.server.self_enode),
        }
        await sender("waku_post", direct)

        (message,) = await drained(reader, filter_id)
        assert message["bool"] is True


async def test_a_filter_narrows_what_a_relay_that_is_no_full_node_takes(
    node: RpcNode, call: HttpCaller
) -> None:
    key = await call("waku_newSymKey")
    post = {"symKeyID": key, "powTarget": 0.00001, "powTime": 5}
    await call("waku_post", {**post, "topic": "0x01020304"})

    await call("waku_newMessageFilter", {"symKeyID": key, "topics": [TOPIC]})

    await call("waku_post", {**post, "topic": TOPIC})
    with pytest.raises(CallError, match="envelope does not match topic interest"):
        await call("waku_post", {**post, "topic": "0x01020304"})


async def test_too_many_topics_leave_no_filter(node: RpcNode, call: HttpCaller) -> None:
    key = await call("waku_newSymKey")
    topics = [f"0x{number:08x}" for number in range(10_001)]

    with pytest.raises(CallError, match="invalid topic interest: 10001"):
        await call("waku_newMessageFilter", {"symKeyID": key, "topics": topics})

    assert node.messaging.filters._filters == {}


async def test_a_message_that_is_too_large_is_named_with_the_limit(
    node: RpcNode, call: HttpCaller
) -> None:
    await call("waku_setMaxMessageSize", 300)
    post = {"symKeyID": await call("waku_newSymKey"), "topic": TOPIC, "payload": "A" * 400}

    with pytest.raises(
        CallError, match=r"huge messages are not allowed \[[0-9a-f]{64}\]\[560\]\[300\]"
    ):
        await call("waku_post", {**post, "powTarget": 0.00001, "powTime": 5})


async def test_settings_are_taken_and_shown(node: RpcNode, call: HttpCaller) -> None:
    assert await call("waku_setMinPoW", 0.5) is True
    assert await call("waku_setMaxMessageSize", 2000) is True

    assert await call("waku_info") == {"messages": 0, "minPow": 0.5, "maxMessageSize": 2000}


async def test_a_key_that_is_deleted_is_gone(node: RpcNode, call: HttpCaller) -> None:
    pair, shared = await call("waku_newKeyPair"), await call("waku_newSymKey")
    public_key = await call("waku_getPublicKey", pair)
    assert await call("waku_hasKeyPair", public_key) is True
    assert PrivateKey.from_hex(
        await call("waku_getPrivateKey", pair)
    ).public_key.uncompressed == bytes.fromhex(public_key[2:])
    assert len(await call("waku_getSymKey", shared)) == 66

    assert await call("waku_deleteKeyPair", public_key) is True
    assert await call("waku_deleteSymKey", shared) is True

    assert await call("waku_hasKeyPair", pair) is False
    assert await call("waku_hasSymKey", shared) is False


async def test_a_filter_that_is_deleted_is_gone(node: RpcNode, call: HttpCaller) -> None:
    key = await call("waku_newKeyPair")
    for delete, answer in (("waku_deleteMessageFilter", True), ("waku_uninstallFilter", None)):
        filter_id = await call("waku_newMessageFilter", {"privateKeyID": key})
        assert await call(delete, filter_id) is answer
        with pytest.raises(CallError, match="filter not found"):
            await call("waku_getFilterMessages", filter_id)


async def test_a_message_with_an_infinite_proof_of_work_is_shown(
    node: RpcNode, call: HttpCaller
) -> None:
    key = bytes(range(32))
    key_id = node.messaging.keys.add_symmetric_key(key)
    filter_id = await call("waku_newMessageFilter", {"symKeyID": key_id, "topics": [TOPIC]})
    draft = Draft(b"", key, bytes.fromhex(TOPIC[2:]))
    sealed = await compose(draft, node.messaging.miner, node.backend.now())
    without_ttl = type(sealed).build(sealed.expiry - 50, 0, sealed.topic, sealed.data, 0)
    node.messaging.filters.offer(without_ttl, direct=False)

    (message,) = await call("waku_getFilterMessages", filter_id)
    assert message["pow"] == 1.7976931348623157e308


async def test_keys_are_never_logged(
    node: RpcNode, call: HttpCaller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    secret = "7e" * 32
    await call("waku_addPrivateKey", "0x" + secret)
    await call("waku_getSymKey", await call("waku_addSymKey", "0x" + secret))
    await call("waku_generateSymKeyFromPassword", "a password")

    assert secret not in caplog.text
    assert "a password" not in caplog.text
