"""Node records (EIP-778): the specification's example, and every way a record can be wrong.

The example, cut as the wire has it:

    f884                                                  a list of 132 bytes
      b840 7098ad86…5ccb9c                                signature, 64 bytes
      01                                                  seq
      82 6964  82 7634                                    id = v4
      82 6970  84 7f000001                                ip = 127.0.0.1
      89 736563…3235366b31  a1 03ca634c…583138            secp256k1, a compressed point
      83 756470  82 765f                                  udp = 30303
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.codec import rlp
from statusnode.codec.base import base64url_encode
from statusnode.crypto.keccak import keccak256
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enode import Enode
from statusnode.records.enr import MAX_SIZE, Record, RecordError
from support.records import vector_key, vector_node

EXAMPLE_KEY = PrivateKey.from_hex(
    "b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291"
)
EXAMPLE = (
    "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRc"
    "y5wBgmlkgnY0gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8"
)
# A record of a later fleet (boot-01.do-ams3 of status.prod), with entries of other protocols.
FOREIGN = (
    "enr:-QEKuED9AJm2HGgrRpVaJY2nj68ao_QiPeUT43sK-aRM7sMJ6R4G11OSDOwnvVacgN1sTw-K7soC5dzHDFZgZkHU"
    "0u-XAYJpZIJ2NIJpcISnYxMvim11bHRpYWRkcnO4WgAqNiVib290LTAxLmRvLWFtczMuc3RhdHVzLnByb2Quc3RhdHVz"
    "LmltBnZfACw2JWJvb3QtMDEuZG8tYW1zMy5zdGF0dXMucHJvZC5zdGF0dXMuaW0GAbveA4Jyc40AEAUAAQAgAEAAgAEA"
    "iXNlY3AyNTZrMaEC3rRtFQSgc24uWewzXaxTY8hDAHB8sgnxr9k8Rjb5GeSDdGNwgnZfg3VkcIIjKIV3YWt1Mg0"
)


def test_the_example_of_the_specification_is_signed_byte_for_byte() -> None:
    record = Record.sign(EXAMPLE_KEY, 1, ip="127.0.0.1", udp=30303)

    assert str(record) == EXAMPLE


def test_the_example_of_the_specification_is_read() -> None:
    record = Record.parse(EXAMPLE)

    assert record.seq == 1
    assert record.public_key == EXAMPLE_KEY.public_key
    assert record.node_id.hex() == (
        "a448f24c6d18e575453db13171562b71999873db5b286df957af199ec94617f7"
    )
    assert (record.ip, record.udp, record.tcp, record.ip6) == ("127.0.0.1", 30303, None, None)
    assert record.enode() == Enode(EXAMPLE_KEY.public_key, "127.0.0.1", 0, 30303)
    assert [name for name, _ in record.pairs] == [b"id", b"ip", b"secp256k1", b"udp"]


def test_entries_of_other_protocols_stay_as_they_came() -> None:
    record = Record.parse(FOREIGN)

    assert str(record) == FOREIGN
    assert len(record.encode()) == 269
    assert (record.ip, record.tcp, record.udp) == ("167.99.19.47", 30303, 9000)
    assert record.raw("waku2") == b"\x0d"
    assert record.raw("eth") is None


def test_an_entry_may_be_a_list() -> None:
    record = Record.sign(EXAMPLE_KEY, 9, extra={"eth": [[b"\x01\x02\x03\x04", 0]], "zz": b"x"})

    again = Record.parse(str(record))

    assert again == record
    assert again.raw("eth") == rlp.encode([[b"\x01\x02\x03\x04", 0]])


def test_an_ipv6_node_becomes_an_enode_too() -> None:
    record = Record.sign(EXAMPLE_KEY, 1, ip6="2001:db8::1", tcp=1, udp=2, udp6=3)

    assert (record.ip6, record.tcp6, record.udp6) == ("2001:db8::1", None, 3)
    assert str(record.enode()).endswith("@[2001:db8::1]:1?discport=3")
    assert Record.sign(EXAMPLE_KEY, 1).enode() == Enode(EXAMPLE_KEY.public_key)


def test_a_node_of_both_families_is_an_enode_for_each_address() -> None:
    record = Record.sign(EXAMPLE_KEY, 1, ip="192.0.2.1", ip6="2001:db8::1", tcp=1, tcp6=2)
    assert [str(e).partition("@")[2] for e in record.enodes()] == [
        "192.0.2.1:1?discport=0",
        "[2001:db8::1]:2?discport=0",
    ]
    assert record.enode() == record.enodes()[0]
    assert Record.sign(EXAMPLE_KEY, 1).enodes() == ()


def test_a_port_of_zero_is_none() -> None:
    # Some programs write an empty port for "no discovery"; ours leaves it out.
    wire = resigned(Record.sign(EXAMPLE_KEY, 0, ip="10.0.0.1", tcp=443), udp=b"")

    assert Record.decode(wire).udp is None
    assert Record.sign(EXAMPLE_KEY, 0, udp=0).raw("udp") is None


def test_the_text_of_the_first_vector_node() -> None:
    assert str(vector_node(0)) == (
        "enr:-Iu4QAfImuKPfnqyu2VedElyOrlRbJD5H5btbu54LqV-XsF-OXQKx-NgVnVbtKQet0Mt29jkVIe4rhd7dL2YGx"
        "dLxMcBgmlkgnY0gmlwhAoAAACJc2VjcDI1NmsxoQLFe3L6eGr9C0ZiVv0H3z_PVCV0N9KUBpQIiL6BOULLKoN0Y3CC"
        "dl-DdWRwgnZf"
    )


def content_of(record: Record) -> list[bytes]:
    return rlp.split_list(record.encode())[1:]


def signed(items: list[bytes], key: PrivateKey = EXAMPLE_KEY) -> bytes:
    signature = key.sign(keccak256(rlp.encode_list(items)))[:64]
    return rlp.encode_list([rlp.encode(signature), *items])


def resigned(record: Record, **entries: rlp.Encodable) -> bytes:
    """The same record with entries set, signed anew whatever they are."""
    pairs = dict(record.pairs) | {
        name.encode(): rlp.encode(value) for name, value in entries.items()
    }
    items = [rlp.encode(record.seq)]
    for name in sorted(pairs):
        items += (rlp.encode(name), pairs[name])
    return signed(items)


BASE = Record.sign(EXAMPLE_KEY, 5, ip="10.0.0.1", tcp=1, udp=2)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: b"", "canonical RLP"),
        (lambda: b"\xc0", "a signature, a number, and pairs"),
        (lambda: rlp.encode([bytes(64), 1, b"id"]), "a signature, a number, and pairs"),
        (lambda: BASE.encode() + b"\x00", "1 bytes follow"),
        (lambda: BASE.encode()[:-1], "does not fit"),
        (lambda: bytes(301), "301 bytes"),
        (lambda: resigned(BASE, id=b"v5"), "identity scheme"),
        (lambda: resigned(BASE, ip=b"\x0a\x00\x00"), "expected 4 bytes"),
        (lambda: resigned(BASE, ip6=bytes(4)), "expected 16 bytes"),
        (lambda: resigned(BASE, ip=[b"\x0a"]), "expected a string"),
        (lambda: resigned(BASE, ip=[]), "expected a string"),
        (lambda: resigned(BASE, tcp=65536), "does not fit in 16 bits"),
        (lambda: resigned(BASE, udp=b"\x00\x01"), "leading zeros"),
        (lambda: resigned(BASE, secp256k1=bytes(33)), "no point"),
        (lambda: resigned(BASE, secp256k1=bytes(32)), "expected 33 bytes"),
        (lambda: signed([rlp.encode(1), *content_of(BASE)[3:]]), "identity scheme"),
        (lambda: signed(content_of(BASE)[:1] + content_of(BASE)[-2:] * 2), "sorted and unique"),
        (
            lambda: signed(content_of(BASE)[:1] + content_of(BASE)[3:5] + content_of(BASE)[1:3]),
            "sorted and unique",
        ),
        (lambda: signed(content_of(BASE), vector_key(1)), "does not hold"),
        (lambda: rlp.encode_list([b"\x80", *content_of(BASE)]), "does not hold"),
        (lambda: signed([rlp.encode(bytes(9)), *content_of(BASE)[1:]]), "leading zeros"),
    ],
)
def test_a_malformed_record_is_refused(make: Callable[[], bytes], why: str) -> None:
    with pytest.raises(RecordError, match=why):
        Record.decode(make())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "begins with"),
        ("ENR:AA", "begins with"),
        ("enr:", "canonical RLP"),
        ("enr:????", "base64url"),
        (EXAMPLE + "=", "base64url"),
        (EXAMPLE[:-1] + "9", "spare bits"),
        ("enr:" + "A" * 401, "405 characters"),
    ],
)
def test_text_that_is_no_record_is_refused(text: str, why: str) -> None:
    with pytest.raises(RecordError, match=why):
        Record.parse(text)


@given(bit=st.integers(min_value=0, max_value=len(BASE.encode()) * 8 - 1))
def test_no_bit_of_a_record_can_be_changed(bit: int) -> None:
    wire = bytearray(BASE.encode())
    wire[bit // 8] ^= 1 << bit % 8

    with pytest.raises(RecordError):
        Record.decode(bytes(wire))


ports = st.none() | st.integers(min_value=1, max_value=0xFFFF)


@given(
    seq=st.integers(min_value=0, max_value=2**64 - 1),
    ip=st.none() | st.ip_addresses(v=4).map(str),
    ip6=st.none() | st.ip_addresses(v=6).map(str),
    tcp=ports,
    udp=ports,
    tcp6=ports,
    udp6=ports,
    extra=st.dictionaries(
        st.text(alphabet="abxyz", min_size=1, max_size=4), st.binary(max_size=8), max_size=4
    ),
)
def test_what_is_signed_reads_back(
    seq: int,
    ip: str | None,
    ip6: str | None,
    tcp: int | None,
    udp: int | None,
    tcp6: int | None,
    udp6: int | None,
    extra: dict[str, bytes],
) -> None:
    record = Record.sign(
        EXAMPLE_KEY, seq, ip=ip, ip6=ip6, tcp=tcp, udp=udp, tcp6=tcp6, udp6=udp6, extra=extra
    )

    again = Record.parse(str(record))

    assert again == record
    assert again.encode() == record.encode()
    assert (again.ip, again.tcp, again.udp, again.tcp6, again.udp6) == (ip, tcp, udp, tcp6, udp6)
    assert {name: again.raw(name) for name in extra} == {
        name: rlp.encode(value) for name, value in extra.items()
    }


@given(st.binary(max_size=MAX_SIZE + 2))
def test_garbage_is_refused(data: bytes) -> None:
    for read in (Record.decode, lambda data: Record.parse("enr:" + base64url_encode(data))):
        with pytest.raises(RecordError):
            read(data)


shapes = st.recursive(
    st.binary(max_size=40), lambda inner: st.lists(inner, max_size=6), max_leaves=16
)


@given(
    st.dictionaries(
        st.sampled_from([b"id", b"ip", b"ip6", b"secp256k1", b"tcp", b"udp", b"zz"]),
        st.one_of(shapes, st.just(b"v4"), st.just(EXAMPLE_KEY.public_key.compressed)),
    )
)
def test_a_signed_record_of_any_shape_is_refused_or_reads_back(
    entries: dict[bytes, rlp.Decoded],
) -> None:
    items = [rlp.encode(3)]
    for name in sorted(entries):
        items += (rlp.encode(name), rlp.encode(entries[name]))
    wire = signed(items)
    try:
        record = Record.decode(wire)
    except RecordError:
        return
    assert record.encode() == wire
    assert Enode.parse(str(record.enode())) == record.enode()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"ip": "10.0.0.256"}, "no address"),
        ({"ip": "::1"}, "no address"),
        ({"ip6": "10.0.0.1"}, "no address"),
        ({"tcp": 65536}, "out of range"),
        ({"udp": -1}, "out of range"),
        ({"extra": {"tcp": 1}}, "belongs to the record"),
        ({"extra": {"big": bytes(200)}}, "300 are allowed"),
    ],
)
def test_a_record_that_cannot_be_is_not_signed(arguments: dict[str, object], why: str) -> None:
    with pytest.raises(RecordError, match=why):
        Record.sign(EXAMPLE_KEY, 1, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("seq", [-1, 2**64])
def test_a_sequence_number_has_64_bits(seq: int) -> None:
    with pytest.raises(RecordError, match="sequence number"):
        Record.sign(EXAMPLE_KEY, seq)
