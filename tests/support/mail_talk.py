"""Asking a mailserver over a session of its own, and taking its answer packet by packet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from statusnode.codec import rlp
from statusnode.mailserver.archive import HASH_SIZE
from statusnode.mailserver.response import Completion, Failure, decode
from statusnode.messages.envelope import Envelope
from support.mined_envelopes import as_json
from support.reference_scene import Party, Scene
from support.waku_peer import WakuPeer

_MESSAGES, _COMPLETE, _REQUEST, _DIRECT = 1, 125, 126, 127
_ROOM_IN_PACKET = 900_000


@dataclass(frozen=True)
class Answer:
    """What came back: the bundles, and the bytes that ended it."""

    bundles: tuple[tuple[bytes, ...], ...]
    """Raw envelopes, packet by packet."""
    completion: bytes

    @property
    def raws(self) -> list[bytes]:
        """All envelopes, in order."""
        return [raw for bundle in self.bundles for raw in bundle]

    @property
    def cursor(self) -> bytes:
        """Where the next page begins; empty at the end."""
        response = decode(self.completion)
        assert isinstance(response, Completion), response
        return response.cursor

    @property
    def refusal(self) -> str:
        """Why the request was refused; empty if it was not."""
        response = decode(self.completion)
        return response.text if isinstance(response, Failure) else ""

    def __repr__(self) -> str:
        ends = self.refusal or self.completion[HASH_SIZE:].hex() or self.completion.hex()
        return f"<{[len(bundle) for bundle in self.bundles]} {ends}>"


@dataclass
class MailTalk:
    """A scripted Waku node that has one session: with a mailserver."""

    peer: WakuPeer

    def post(self, envelopes: Iterable[Envelope]) -> None:
        """Send envelopes, in packets that any node takes."""
        packet: list[dict[str, Any]] = []
        size = 0
        for envelope in envelopes:
            if size + envelope.size > _ROOM_IN_PACKET:
                self.peer.do("post", envelopes=packet)
                packet, size = [], 0
            packet.append(as_json(envelope))
            size += envelope.size
        self.peer.do("post", envelopes=packet)

    async def ask(self, payload: bytes, request_id: bytes) -> Answer:
        """Send a request, in either form, and wait for the end of its answer.

        `request_id` must be new, and the request before must have been answered.
        """
        events = self.peer.events
        start = len(events)
        self.peer.do("send", code=_REQUEST, payload=payload.hex())
        end = await self.peer.event(
            "packet",
            lambda event: event["code"] == _COMPLETE and request_id.hex() in event["payload"],
        )
        packets = events[start : events.index(end)]
        return Answer(
            tuple(
                tuple(rlp.split_list(bytes.fromhex(event["payload"])))
                for event in packets
                if event["event"] == "packet" and event["code"] == _DIRECT
            ),
            rlp.as_bytes(rlp.decode(bytes.fromhex(end["payload"]))),
        )


async def mail_talk(stage: Scene, server: Party) -> MailTalk:
    """Connect to a mailserver; the peer wants no envelopes but those it asks for."""
    peer = await stage.peer(pow=0.0, topics=[])
    peer.do("dial", enode=server.enode)
    await peer.packet(0)
    return MailTalk(peer)
