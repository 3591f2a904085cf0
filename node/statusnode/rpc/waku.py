"""`waku_…`: posting, filters and the relay's settings (status-go, `waku/api.go`).

Payloads, paddings and keys inside objects are base64, topics and hashes of posts 0x-hex; that
mixture is status-go's, and so are the checks of `post` and of filters and their sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from statusnode.crypto.keys import KeyFormatError, PrivateKey, PublicKey
from statusnode.messages.composing import Draft, compose
from statusnode.messages.envelope import Envelope
from statusnode.messages.keystore import UnknownKeyError
from statusnode.messages.sealing import check_symmetric_key
from statusnode.messages.topic import TOPIC_SIZE
from statusnode.records.enode import Enode, EnodeError
from statusnode.records.enr import RecordError
from statusnode.relay.acceptance import Acceptance
from statusnode.relay.filters import Criteria, Listener, Message
from statusnode.relay.standards import StandardsError
from statusnode.rpc.backend import Messaging
from statusnode.rpc.dispatch import Cancel, Method, Namespace, Notify, Subscribable
from statusnode.rpc.errors import RpcError
from statusnode.rpc.nodes import parse_node
from statusnode.rpc.values import (
    Result,
    base64_bytes,
    boolean,
    float64,
    hex_bytes,
    list_of,
    record,
    text,
    to_base64,
    to_hex,
    topic_of,
    uint32,
)
from statusnode.rpc.waku_keys import key_methods

_NO_TOPIC: Final = bytes(TOPIC_SIZE)
_POINT_PREFIX: Final = b"\x04"
_TOPIC: Final = topic_of("common.TopicType")


@dataclass(frozen=True, slots=True)
class _Post:
    """A message to be posted: ids of keys, never keys."""

    symmetric_key_id: str = ""
    recipient: bytes = b""
    signer_id: str = ""
    ttl_seconds: int = 0
    topic: bytes = _NO_TOPIC
    payload: bytes = b""
    padding: bytes = b""
    pow_time_seconds: int = 0
    pow_target: float = 0.0
    target_peer: str = ""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a filter is asked to let through."""

    symmetric_key_id: str = ""
    key_pair_id: str = ""
    signer: bytes = b""
    min_pow: float = 0.0
    topics: Sequence[bytes] = ()
    allow_direct: bool = False


_POST: Final = record(
    _Post,
    "waku.NewMessage",
    {
        "symKeyID": ("symmetric_key_id", text),
        "pubKey": ("recipient", base64_bytes),
        "sig": ("signer_id", text),
        "ttl": ("ttl_seconds", uint32),
        "topic": ("topic", _TOPIC),
        "payload": ("payload", base64_bytes),
        "padding": ("padding", base64_bytes),
        "powTime": ("pow_time_seconds", uint32),
        "powTarget": ("pow_target", float64),
        "targetPeer": ("target_peer", text),
    },
)
_WANTED: Final = record(
    _Wanted,
    "waku.Criteria",
    {
        "symKeyID": ("symmetric_key_id", text),
        "privateKeyID": ("key_pair_id", text),
        "sig": ("signer", base64_bytes),
        "minPow": ("min_pow", float64),
        "topics": ("topics", list_of(_TOPIC, "[]common.TopicType")),
        "allowP2P": ("allow_direct", boolean),
    },
)


def waku(messaging: Messaging, now: Callable[[], float]) -> Namespace:
    """Make the namespace; `now` is unix seconds."""
    calls = _Waku(messaging, now)
    return Namespace(
        "waku",
        {
            "info": Method(calls.info),
            "setMaxMessageSize": Method(calls.set_max_message_size, uint32),
            "setMinPoW": Method(calls.set_min_pow, float64),
            "setBloomFilter": Method(calls.set_bloom_filter, hex_bytes),
            "markTrustedPeer": Method(calls.mark_trusted_peer, text),
            "makeLightClient": Method(calls.make_light_client),
            "cancelLightClient": Method(calls.cancel_light_client),
            **key_methods(messaging.keys),
            "post": Method(calls.post, _POST),
            "newMessageFilter": Method(calls.new_message_filter, _WANTED),
            "getFilterMessages": Method(calls.filter_messages, text),
            "deleteMessageFilter": Method(calls.delete_message_filter, text),
            "uninstallFilter": Method(calls.uninstall_filter, text),
        },
        {"messages": Subscribable(calls.subscribe_messages, _WANTED)},
    )


class _Waku:
    def __init__(self, messaging: Messaging, now: Callable[[], float]) -> None:
        self._relay = messaging.relay
        self._filters = messaging.filters
        self._keys = messaging.keys
        self._miner = messaging.miner
        self._now = now

    # The relay's settings.

    def info(self) -> Result:
        info = self._relay.info()
        # "messages" is what waits to be opened for filters, and here nothing ever waits.
        return {"messages": 0, "minPow": info.min_pow, "maxMessageSize": info.max_message_size}

    def set_max_message_size(self, size: int) -> Result:
        self._relay.set_max_message_size(size)
        return True

    def set_min_pow(self, value: float) -> Result:
        self._relay.set_min_pow(value)
        return True

    def set_bloom_filter(self, bloom: bytes) -> Result:
        self._relay.set_bloom_filter(bloom)
        return True

    def mark_trusted_peer(self, url: str) -> Result:
        self._relay.mark_trusted(parse_node(url).node_id)
        return True

    def make_light_client(self) -> Result:
        self._relay.set_light(True)
        return True

    def cancel_light_client(self) -> Result:
        self._relay.set_light(False)
        return True

    # Posting.

    async def post(self, post: _Post) -> Result:
        if bool(post.symmetric_key_id) == bool(post.recipient):
            raise RpcError("specify either a symmetric or an asymmetric key")
        signer = self._keys.key_pair(post.signer_id) if post.signer_id else None
        recipient = self._recipient(post)
        target = _target_peer(post.target_peer) if post.target_peer else None
        draft = Draft(
            content=post.payload,
            recipient=recipient,
            topic=post.topic,
            padding=post.padding,
            signer=signer,
            ttl_seconds=post.ttl_seconds,
            pow_target=post.pow_target,
            pow_time_seconds=post.pow_time_seconds,
        )
        envelope = await compose(draft, self._miner, self._now())
        if target is not None:
            self._relay.send_direct(target.node_id, [envelope])
        else:
            self._submit(envelope, post.pow_target)
        return to_hex(envelope.hash)

    def _recipient(self, post: _Post) -> bytes | PublicKey:
        if not post.symmetric_key_id:
            return _public_key(post.recipient, "invalid public key")
        if post.topic == _NO_TOPIC:
            raise RpcError("missing topic(s)")
        return check_symmetric_key(self._keys.symmetric_key(post.symmetric_key_id))

    def _submit(self, envelope: Envelope, pow_target: float) -> None:
        if pow_target < self._relay.info().min_pow:
            raise RpcError("message rejected, PoW too low")
        acceptance = self._relay.submit(envelope)
        if acceptance is Acceptance.OVERSIZED:
            limit = self._relay.info().max_message_size
            raise RpcError(
                f"{acceptance.complaint} [{envelope.hash.hex()}][{envelope.size}][{limit}]"
            )
        if not acceptance.accepted:
            raise RpcError(acceptance.complaint or "failed to add envelope")

    # Filters.

    def new_message_filter(self, wanted: _Wanted) -> Result:
        return self._install(self._criteria(wanted), None)

    def filter_messages(self, filter_id: str) -> Result:
        return [_message(message) for message in self._filters.drain(filter_id)]

    def delete_message_filter(self, filter_id: str) -> Result:
        self._filters.uninstall(filter_id)
        return True

    def uninstall_filter(self, filter_id: str) -> Result:
        """Like `deleteMessageFilter`, but for one that is gone it says nothing."""
        if self._filters.has(filter_id):
            self._filters.uninstall(filter_id)
        return None

    def subscribe_messages(self, notify: Notify, wanted: _Wanted) -> Cancel:
        # Stricter than a filter that is polled: a shared key needs topics.
        if wanted.symmetric_key_id and not wanted.key_pair_id and not wanted.topics:
            raise RpcError("missing topic(s)")
        try:
            criteria = self._criteria(wanted)
        except UnknownKeyError as error:
            if wanted.key_pair_id:
                raise RpcError("invalid public key") from error
            raise
        filter_id = self._install(criteria, lambda message: notify(_message(message)))
        return lambda: self._filters.uninstall(filter_id)

    def _criteria(self, wanted: _Wanted) -> Criteria:
        if bool(wanted.symmetric_key_id) == bool(wanted.key_pair_id):
            raise RpcError("specify either a symmetric or an asymmetric key")
        signer = _public_key(wanted.signer, "invalid signing public key") if wanted.signer else None
        key: bytes | PrivateKey
        if wanted.symmetric_key_id:
            key = check_symmetric_key(self._keys.symmetric_key(wanted.symmetric_key_id))
        else:
            key = self._keys.key_pair(wanted.key_pair_id)
        return Criteria(key, frozenset(wanted.topics), signer, wanted.min_pow, wanted.allow_direct)

    def _install(self, criteria: Criteria, listener: Listener | None) -> str:
        filter_id = self._filters.install(criteria, listener)
        try:
            # status-go's way: a node that asked for everything now asks for these topics alone.
            self._relay.add_topic_interest(criteria.topics)
        except StandardsError:
            self._filters.uninstall(filter_id)
            raise
        return filter_id


def _public_key(data: bytes, complaint: str) -> PublicKey:
    if data[:1] != _POINT_PREFIX:
        raise RpcError(complaint)
    try:
        return PublicKey(data[1:])
    except KeyFormatError as error:
        raise RpcError(complaint) from error


def _target_peer(url: str) -> Enode:
    try:
        return parse_node(url)
    except (EnodeError, RecordError) as error:
        raise RpcError(f"failed to parse target peer: {error}") from error


def _message(message: Message) -> Result:
    envelope, payload = message.envelope, message.payload
    shown: dict[str, Result] = {}
    if payload.signer is not None:
        shown["sig"] = to_base64(payload.signer.uncompressed)
    shown |= {
        "ttl": envelope.ttl,
        "timestamp": envelope.sent,
        "topic": to_hex(envelope.topic),
        "payload": to_base64(payload.content),
        "padding": to_base64(payload.padding),
        "pow": envelope.pow,
        "hash": to_base64(envelope.hash),
    }
    if message.recipient is not None:
        shown["recipientPublicKey"] = to_base64(message.recipient.uncompressed)
    if message.direct:
        shown["bool"] = True  # status-go's name for "came as a direct message"
    return shown
