"""A member's record: a new number for new content, and only then."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusfleet.plan import Endpoint
from statusfleet.plan.record import member_record
from statusnode.records.enr import Record
from support.fleet_observations import key_of

KEY = key_of("relayer-0")
HERE = Endpoint("203.0.113.7", 30303)

endpoints = st.builds(
    Endpoint,
    host=st.ip_addresses().map(str),
    tcp=st.integers(1, 65535),
    udp=st.integers(0, 65535),
)


def test_the_first_record_has_number_1() -> None:
    record = member_record(KEY, HERE, None)
    assert (record.seq, record.ip, record.tcp, record.udp) == (1, "203.0.113.7", 30303, None)
    assert record.public_key == KEY.public_key


@given(endpoints)
def test_the_same_address_keeps_the_very_same_record(address: Endpoint) -> None:
    record = member_record(KEY, address, None)
    assert member_record(KEY, address, record) is record


@given(st.lists(endpoints, min_size=2, max_size=6))
def test_the_number_grows_by_one_with_each_change(addresses: list[Endpoint]) -> None:
    record: Record | None = None
    for before, address in zip([None, *addresses], addresses, strict=False):
        seq = record.seq if record else 0
        record = member_record(KEY, address, record)
        assert record.seq == seq + (address != before)


def test_another_key_never_gets_a_lower_number() -> None:
    record = member_record(KEY, HERE, member_record(key_of("other"), HERE, None))
    assert (record.seq, record.public_key) == (2, KEY.public_key)


def test_an_address_of_both_families_is_in_one_record() -> None:
    record = member_record(KEY, Endpoint("203.0.113.7", 443, 443, "2001:db8::7"), None)
    assert (record.ip, record.ip6, record.tcp, record.udp) == (
        "203.0.113.7",
        "2001:db8::7",
        443,
        443,
    )


def test_the_port_of_ipv6_alone_is_where_every_reader_looks() -> None:
    # The node of go-ethereum that stock statusd is made of knows no `tcp6`: it would dial port 0.
    record = member_record(KEY, Endpoint("2001:db8::7", 443, 444), None)
    assert [name for name, _ in record.pairs] == [b"id", b"ip6", b"secp256k1", b"tcp", b"udp"]
    assert (record.ip6, record.tcp, record.udp) == ("2001:db8::7", 443, 444)
    enode = record.enode()
    assert (enode.host, enode.tcp, enode.udp) == ("2001:db8::7", 443, 444)


def test_a_name_is_no_address() -> None:
    with pytest.raises(ValueError, match="example"):
        member_record(KEY, Endpoint("lb.example.org", 443), None)
