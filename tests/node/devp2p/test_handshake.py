"""The encryption handshake against the vectors of EIP-8, against itself, and against noise.

The wire, dialing side first::

    auth  01b3 | 04 X Y (65) | IV (16) | RLP [signature, static key, nonce, 4] + padding | tag (32)
    ack   01ea | 04 X Y (65) | IV (16) | RLP [ephemeral key, nonce, 4] + padding         | tag (32)

The plain forms of before lack the size and the RLP: 307 and 210 bytes, as they stand.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.codec import rlp
from statusnode.crypto import ecies
from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.handshake import (
    ACK_SIZE,
    AUTH_SIZE,
    Ephemeral,
    HandshakeError,
    Initiator,
    Responder,
    Secrets,
)

VECTORS = json.loads((Path(__file__).parent / "eip8.json").read_text())
KEY_A = PrivateKey.from_hex(VECTORS["static_key_a"])
KEY_B = PrivateKey.from_hex(VECTORS["static_key_b"])
EPHEMERAL_A = Ephemeral(
    PrivateKey.from_hex(VECTORS["ephemeral_key_a"]), bytes.fromhex(VECTORS["nonce_a"])
)
EPHEMERAL_B = Ephemeral(
    PrivateKey.from_hex(VECTORS["ephemeral_key_b"]), bytes.fromhex(VECTORS["nonce_b"])
)


def packet(name: str) -> bytes:
    return bytes.fromhex(VECTORS[name])


def shake_hands(initiator: Initiator, responder: Responder) -> tuple[Secrets, Secrets]:
    theirs = responder.feed(initiator.auth)
    assert theirs is not None
    ours = initiator.feed(responder.ack)
    assert ours is not None
    return ours, theirs


def test_the_plain_sizes_are_those_of_the_specification() -> None:
    assert (AUTH_SIZE, ACK_SIZE) == (307, 210)
    assert (len(packet("auth1")), len(packet("ack1"))) == (307, 210)


@pytest.mark.parametrize("name", ["auth1", "auth2", "auth3"])
def test_a_responder_reads_every_published_auth(name: str) -> None:
    responder = Responder(KEY_B, EPHEMERAL_B)
    secrets = responder.feed(packet(name))
    assert secrets is not None
    assert secrets.remote_key == KEY_A.public_key
    assert responder.rest == b""


def test_a_plain_auth_is_answered_plainly_and_a_sized_one_in_kind() -> None:
    plain, sized = Responder(KEY_B), Responder(KEY_B)
    assert plain.feed(packet("auth1"))
    assert sized.feed(packet("auth2"))
    assert len(plain.ack) == ACK_SIZE
    assert int.from_bytes(sized.ack[:2], "big") == len(sized.ack) - 2 > ACK_SIZE


@pytest.mark.parametrize("name", ["ack1", "ack2", "ack3"])
def test_an_initiator_reads_every_published_ack(name: str) -> None:
    initiator = Initiator(KEY_A, KEY_B.public_key, EPHEMERAL_A)
    secrets = initiator.feed(packet(name))
    assert secrets is not None
    assert secrets.remote_key == KEY_B.public_key
    assert secrets.aes.hex() == VECTORS["aes_secret"]
    assert secrets.mac.hex() == VECTORS["mac_secret"]


def test_the_published_secrets_follow_from_the_second_auth() -> None:
    secrets = Responder(KEY_B, EPHEMERAL_B).feed(packet("auth2"))
    assert secrets is not None
    assert secrets.aes.hex() == VECTORS["aes_secret"]
    assert secrets.mac.hex() == VECTORS["mac_secret"]
    secrets.ingress.update(b"foo")
    assert secrets.ingress.digest().hex() == VECTORS["ingress_mac_foo"]


def test_both_sides_derive_the_same_secrets() -> None:
    ours, theirs = shake_hands(Initiator(KEY_A, KEY_B.public_key), Responder(KEY_B))
    assert (ours.aes, ours.mac) == (theirs.aes, theirs.mac)
    assert ours.egress.digest() == theirs.ingress.digest()
    assert ours.ingress.digest() == theirs.egress.digest()
    assert ours.egress.digest() != ours.ingress.digest()


def test_an_initiator_sends_the_sized_form_with_varying_padding() -> None:
    sizes = {len(Initiator(KEY_A, KEY_B.public_key).auth) for _ in range(30)}
    assert len(sizes) > 5
    assert min(sizes) > AUTH_SIZE


@given(cuts=st.lists(st.integers(1, 400), max_size=6), rest=st.binary(max_size=50))
def test_a_handshake_may_arrive_in_any_pieces(cuts: list[int], rest: bytes) -> None:
    responder = Responder(KEY_B)
    data = packet("auth3") + rest
    position = 0
    for cut in [*cuts, len(data)]:
        piece, position = data[position : position + cut], position + cut
        secrets = responder.feed(piece)
        if secrets is not None:
            break
    assert secrets is not None
    assert rest.startswith(responder.rest)


def test_what_follows_the_packet_is_kept_for_the_frames() -> None:
    for name in ("ack1", "ack2"):
        initiator = Initiator(KEY_A, KEY_B.public_key, EPHEMERAL_A)
        assert initiator.feed(packet(name) + b"frames") is not None
        assert initiator.rest == b"frames"


def sealed(body: bytes, recipient: PrivateKey = KEY_B) -> bytes:
    prefix = (len(body) + ecies.OVERHEAD).to_bytes(2, "big")
    return prefix + ecies.encrypt(body, recipient.public_key, prefix)


def auth_items() -> list[rlp.Encodable]:
    token = bytes(
        a ^ b for a, b in zip(KEY_A.shared_secret(KEY_B.public_key), EPHEMERAL_A.nonce, strict=True)
    )
    signature = EPHEMERAL_A.key.sign(token)
    return [signature, KEY_A.public_key.data, EPHEMERAL_A.nonce, 4]


@pytest.mark.parametrize(
    "more", [[], [b"extra", 7, [b"list"]]], ids=["four items", "items of the future"]
)
@pytest.mark.parametrize("version", [4, 56, 0])
def test_other_versions_items_and_padding_are_tolerated(
    more: list[rlp.Encodable], version: int
) -> None:
    body = rlp.encode([*auth_items()[:3], version, *more]) + b"\xff" * 150
    assert Responder(KEY_B).feed(sealed(body)) is not None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda items: items[:3], "3 items"),
        (lambda items: [bytes(65), *items[1:]], "signature"),
        (lambda items: [bytes(64), *items[1:]], "signature"),
        (lambda items: [items[0], bytes(64), *items[2:]], "static key"),
        (lambda items: [*items[:2], bytes(31), items[3]], "nonce"),
        (lambda items: [*items[:3], [b"4"]], "content"),
    ],
)
def test_an_auth_of_another_shape_is_refused(change: object, complaint: str) -> None:
    body = rlp.encode(change(auth_items())) + bytes(150)  # type: ignore[operator]
    responder = Responder(KEY_B)
    with pytest.raises(HandshakeError, match=complaint):
        responder.feed(sealed(body))
    assert responder.ack == b""


def test_an_auth_that_is_no_list_is_refused() -> None:
    with pytest.raises(HandshakeError, match="content"):
        Responder(KEY_B).feed(sealed(b"\x80" + bytes(300)))


def test_an_auth_for_another_node_is_refused() -> None:
    with pytest.raises(HandshakeError, match="cannot be opened"):
        Responder(KEY_A).feed(packet("auth2"))


@pytest.mark.parametrize(
    ("reader", "least"),
    [(Responder(KEY_B), AUTH_SIZE), (Initiator(KEY_A, KEY_B.public_key), ACK_SIZE)],
)
def test_a_size_below_the_plain_one_is_refused(reader: Responder | Initiator, least: int) -> None:
    with pytest.raises(HandshakeError, match="are the least"):
        reader.feed((least - 1).to_bytes(2, "big") + bytes(least))


def test_a_changed_packet_is_refused() -> None:
    data = bytearray(packet("auth2"))
    data[200] ^= 1
    with pytest.raises(HandshakeError):
        Responder(KEY_B).feed(bytes(data))


def test_noise_ends_in_a_handshake_error_or_in_waiting() -> None:
    source = random.Random(8)
    for _ in range(300):
        data = bytearray(packet(source.choice(["auth1", "auth2", "auth3"])))
        for _ in range(source.randrange(1, 4)):
            data[source.randrange(len(data))] = source.randrange(256)
        if source.random() < 0.3:
            data = bytearray(source.randbytes(source.randrange(1, 2000)))
        for reader in (Responder(KEY_B), Initiator(KEY_A, KEY_B.public_key)):
            try:
                reader.feed(bytes(data))
            except HandshakeError:
                continue
