"""What the server says, query by query, without a socket.

The reply to a query for a branch of 13, without EDNS, cut as the wire has it (441 bytes):

    1234 8500                  id, QR AA RD
    0001 0001 0000 0000        one question, one answer
    1a 504752…335550  05 6e6f646573 … 00  0010 0001  the question as it was asked: TXT, IN
    c00c 0010 0001 00015180 016f                     its name again, TXT, IN, 86400 s, 367 bytes
      ff 656e74727472…  6e …                         strings of 255 and 110 bytes
"""

from __future__ import annotations

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from statusfleet.publishers.answers import (
    MAX_DATAGRAM,
    Reply,
    Verdict,
    ZoneIndex,
    answer,
    answer_truncated,
)
from statusfleet.tree.zone import Zone, ZoneSettings
from support.records import DOMAIN, vector_tree

SIGNED = vector_tree(14)
SETTINGS = ZoneSettings(DOMAIN, nameservers=("ns1.example.net", "ns2.example.net"))
ZONE = ZoneIndex(Zone.of(SIGNED, SETTINGS))
RECORDS = SIGNED.records()
LEAF = next(name for name, text in RECORDS.items() if text.startswith("enr:"))
BRANCH = next(
    name
    for name, text in RECORDS.items()
    if text.startswith("enrtree-branch:") and text.count(",") == 12
)
# A zone with what a tree has not: names without records above others, and long contents.
DEEP = ZoneIndex(
    Zone(
        SETTINGS,
        serial=1,
        texts={DOMAIN: "root", f"a.b.c.{DOMAIN}": "x", f"long.{DOMAIN}": "y" * 3000},
    )
)
NO_EDNS = -1


def ask(
    name: str,
    rdtype: str = "TXT",
    *,
    zone: ZoneIndex = ZONE,
    payload: int = NO_EDNS,
    datagram: bool = True,
    rdclass: str = "IN",
) -> dns.message.Message:
    """Ask, and check what every answer has in common."""
    edns = 0 if payload != NO_EDNS else None
    query = dns.message.make_query(
        name, rdtype, rdclass, use_edns=edns, payload=payload if edns == 0 else None
    )
    reply = answer(query.to_wire(), zone, datagram=datagram)
    response = dns.message.from_wire(reply.wire)
    assert query.is_response(response)
    assert response.question[0].name.labels == query.question[0].name.labels  # case and all
    assert (response.edns >= 0) == (edns == 0)
    assert response.flags & dns.flags.RD
    assert not response.flags & dns.flags.RA
    return response


def texts(response: dns.message.Message) -> list[str]:
    return [
        b"".join(rdata.strings).decode()
        for rrset in response.answer
        if rrset.rdtype == dns.rdatatype.TXT
        for rdata in rrset
    ]


@pytest.mark.parametrize("name", [DOMAIN, LEAF, BRANCH])
def test_every_entry_is_answered_with_authority(name: str) -> None:
    response = ask(name)

    assert texts(response) == [RECORDS[name]]
    assert response.rcode() == dns.rcode.NOERROR
    assert response.flags & dns.flags.AA
    assert response.authority == []
    assert response.answer[0].ttl == (300 if name == DOMAIN else 86_400)


@pytest.mark.parametrize("change", [str.lower, str.upper, str.swapcase])
def test_names_match_whatever_their_case_and_come_back_as_asked(change: object) -> None:
    name = change(LEAF)  # type: ignore[operator]

    response = ask(name)

    assert texts(response) == [RECORDS[LEAF]]
    assert response.answer[0].name.to_text(omit_final_dot=True) == name


def test_the_apex_has_soa_and_name_servers() -> None:
    soa = ask(DOMAIN, "SOA").answer[0][0]
    servers = ask(DOMAIN, "NS").answer[0]

    assert (soa.serial, soa.minimum) == (7, 60)
    assert soa.mname == dns.name.from_text("ns1.example.net")
    assert soa.rname == dns.name.from_text(f"hostmaster.{DOMAIN}")
    assert sorted(server.target.to_text() for server in servers) == [
        "ns1.example.net.",
        "ns2.example.net.",
    ]


@pytest.mark.parametrize(
    ("name", "rdtype", "zone", "rcode"),
    [
        (LEAF, "A", ZONE, dns.rcode.NOERROR),
        (LEAF, "NS", ZONE, dns.rcode.NOERROR),
        (DOMAIN, "AAAA", ZONE, dns.rcode.NOERROR),
        (f"c.{DOMAIN}", "TXT", DEEP, dns.rcode.NOERROR),
        (f"B.c.{DOMAIN}", "TXT", DEEP, dns.rcode.NOERROR),
        (f"c.{DOMAIN}", "ANY", DEEP, dns.rcode.NOERROR),
        (f"x.c.{DOMAIN}", "TXT", DEEP, dns.rcode.NXDOMAIN),
        (f"missing.{DOMAIN}", "TXT", ZONE, dns.rcode.NXDOMAIN),
        (f"x.{LEAF}", "TXT", ZONE, dns.rcode.NXDOMAIN),
    ],
)
def test_what_is_not_there_is_said_with_the_soa(
    name: str, rdtype: str, zone: ZoneIndex, rcode: dns.rcode.Rcode
) -> None:
    response = ask(name, rdtype, zone=zone)

    assert response.rcode() == rcode
    assert response.flags & dns.flags.AA
    assert response.answer == []
    assert [rrset.rdtype for rrset in response.authority] == [dns.rdatatype.SOA]
    assert response.authority[0].name == dns.name.from_text(DOMAIN)
    assert response.authority[0].ttl == 60


@pytest.mark.parametrize(
    "name", ["example.org", "org", ".", f"x{DOMAIN}", "other.example", f"x\\.{DOMAIN}"]
)
def test_outside_the_zone_is_refused(name: str) -> None:
    response = ask(name)

    assert response.rcode() == dns.rcode.REFUSED
    assert not response.flags & dns.flags.AA
    assert (response.answer, response.authority) == ([], [])


@pytest.mark.parametrize(("rdtype", "rdclass"), [("TXT", "CH"), ("AXFR", "IN"), ("IXFR", "IN")])
def test_other_classes_and_transfers_are_refused(rdtype: str, rdclass: str) -> None:
    assert ask(DOMAIN, rdtype, rdclass=rdclass).rcode() == dns.rcode.REFUSED


def test_a_question_for_anything_gets_one_kind() -> None:
    response = ask(DOMAIN, "ANY")

    assert texts(response) == [RECORDS[DOMAIN]]
    assert len(response.answer) == 1


def test_a_zone_that_may_lack_names_fails_for_those_that_it_does_not_know() -> None:
    unsure = ZoneIndex(Zone.of(SIGNED, SETTINGS), sure=False)
    response = ask(f"UNKNOWN.{DOMAIN}", zone=unsure)
    assert response.rcode() == dns.rcode.SERVFAIL
    assert not response.flags & dns.flags.AA
    assert response.authority == []
    assert texts(ask(LEAF, zone=unsure)) == [RECORDS[LEAF]]
    assert ask(LEAF, "A", zone=unsure).rcode() == dns.rcode.NOERROR


def test_before_there_is_a_tree_the_zone_fails_for_now() -> None:
    empty = ZoneIndex(Zone(SETTINGS, serial=0, texts={}))

    response = ask(LEAF, zone=empty)

    assert response.rcode() == dns.rcode.SERVFAIL
    assert ask("example.org", zone=empty).rcode() == dns.rcode.REFUSED


@pytest.mark.parametrize(
    ("payload", "datagram", "truncated", "largest"),
    [
        (NO_EDNS, True, True, 512),
        (100, True, True, 512),  # smaller than any sender may ask for
        (1232, True, True, 1232),
        (4096, True, True, MAX_DATAGRAM),
        (NO_EDNS, False, False, 65535),
    ],
)
def test_what_does_not_fit_is_cut(
    payload: int, datagram: bool, truncated: bool, largest: int
) -> None:
    response = ask(f"long.{DOMAIN}", zone=DEEP, payload=payload, datagram=datagram)

    assert bool(response.flags & dns.flags.TC) == truncated
    assert texts(response) == ([] if truncated else ["y" * 3000])
    assert len(response.to_wire()) <= largest


def test_every_entry_fits_a_plain_datagram() -> None:
    for name, text in RECORDS.items():
        assert texts(ask(name)) == [text]


def test_our_own_buffer_is_announced() -> None:
    assert ask(DOMAIN, payload=4096).payload == MAX_DATAGRAM


def test_a_later_version_of_edns_is_told_ours() -> None:
    query = dns.message.make_query(DOMAIN, "TXT", use_edns=1)

    response = dns.message.from_wire(answer(query.to_wire(), ZONE, datagram=True).wire)

    assert response.rcode() == dns.rcode.BADVERS
    assert response.edns == 0


def test_options_of_edns_are_not_a_reason_to_fail() -> None:
    options = [dns.edns.GenericOption(65001, b"anything"), dns.edns.ECSOption("10.0.0.0", 8)]
    query = dns.message.make_query(DOMAIN, "TXT", use_edns=0, options=options)

    response = dns.message.from_wire(answer(query.to_wire(), ZONE, datagram=True).wire)

    assert texts(response) == [RECORDS[DOMAIN]]


@pytest.mark.parametrize("opcode", [1, 2, 4, 5, 6, 15])
def test_other_operations_are_not_implemented(opcode: int) -> None:
    wire = bytearray(dns.message.make_query(DOMAIN, "TXT").to_wire())
    wire[2] = wire[2] & 0x87 | opcode << 3

    reply = answer(bytes(wire), ZONE, datagram=True)

    assert reply.verdict is Verdict.NOT_IMPLEMENTED
    assert reply.wire[:2] == wire[:2]
    assert reply.wire[3] & 0xF == dns.rcode.NOTIMP
    assert len(reply.wire) == 12


# A fixed id: test workers must agree on the names of parametrized tests.
QUERY = dns.message.make_query(LEAF, "TXT", use_edns=0, payload=1232, id=0x1234).to_wire()


@pytest.mark.parametrize(
    "wire",
    [
        QUERY[:12],
        QUERY[:20],
        QUERY + b"\x00",
        QUERY[:4] + b"\x00\x02" + QUERY[6:],
        QUERY[:12] + b"\xc0\x0c" + QUERY[14:],
        QUERY[:12] + b"\xff" + QUERY[13:],
    ],
)
def test_what_cannot_be_read_is_a_format_error(wire: bytes) -> None:
    reply = answer(wire, ZONE, datagram=True)

    assert reply.verdict is Verdict.MALFORMED
    assert reply.wire[:2] == wire[:2]
    assert reply.wire[3] & 0xF == dns.rcode.FORMERR


def test_no_question_or_two_are_a_format_error() -> None:
    none = dns.message.Message()
    two = dns.message.make_query(DOMAIN, "TXT")
    two.find_rrset(two.question, dns.name.from_text(LEAF), "IN", "TXT", create=True)

    for message in (none, two):
        reply = answer(message.to_wire(), ZONE, datagram=True)
        assert dns.message.from_wire(reply.wire).rcode() == dns.rcode.FORMERR


@pytest.mark.parametrize("wire", [b"", b"\x00", QUERY[:11], QUERY[:2] + b"\x80" + QUERY[3:]])
def test_answers_and_scraps_are_never_answered(wire: bytes) -> None:
    assert answer(wire, ZONE, datagram=True) == Reply(b"", Verdict.IGNORED)
    assert answer_truncated(wire) == Reply(b"", Verdict.IGNORED)


def test_a_hurried_answer_is_no_longer_than_its_question() -> None:
    reply = answer_truncated(QUERY)

    response = dns.message.from_wire(reply.wire)
    assert response.flags & dns.flags.TC
    assert response.flags & dns.flags.AA
    assert response.question == dns.message.from_wire(QUERY).question
    assert len(reply.wire) <= len(QUERY)


def judge(wire: bytes) -> None:
    """Whatever comes in: an answer that can be read, or none; never longer than it may be."""
    for reply in (answer(wire, ZONE, datagram=True), answer_truncated(wire)):
        if reply.verdict is Verdict.IGNORED:
            assert reply.wire == b""
            continue
        assert reply.wire[:2] == wire[:2]
        assert reply.wire[2] & 0x80
        assert len(reply.wire) <= MAX_DATAGRAM
        dns.message.from_wire(reply.wire)


@given(st.binary(max_size=600))
def test_garbage_gets_an_answer_or_none(data: bytes) -> None:
    judge(data)


@given(
    st.lists(
        st.tuples(st.integers(min_value=0, max_value=len(QUERY) - 1), st.integers(0, 255)),
        max_size=6,
    ),
    st.integers(min_value=0, max_value=len(QUERY)),
)
@example([(2, 0x28)], 0)  # it has become an update
def test_a_damaged_query_gets_an_answer_or_none(damage: list[tuple[int, int]], cut: int) -> None:
    wire = bytearray(QUERY)
    for position, value in damage:
        wire[position] = value
    judge(bytes(wire))
    judge(bytes(wire[:cut]))


@given(
    st.lists(st.binary(min_size=1, max_size=63), max_size=3),
    st.integers(min_value=0, max_value=0xFFFF),
    st.integers(min_value=0, max_value=0xFFFF),
)
def test_any_name_type_and_class_is_answered(
    labels: list[bytes], rdtype: int, rdclass: int
) -> None:
    name = dns.name.Name([*labels, *dns.name.from_text(DOMAIN).labels])
    query = dns.message.Message()
    query.find_rrset(
        query.question,
        name,
        dns.rdataclass.RdataClass(rdclass),
        dns.rdatatype.RdataType(rdtype),
        create=True,
    )
    judge(query.to_wire())
