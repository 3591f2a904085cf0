"""Enode URLs, as go-ethereum reads and writes them."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.records.enode import Enode, EnodeError
from support.records import vector_key

KEY = vector_key(0).public_key
ID = KEY.data.hex()

ports = st.integers(min_value=0, max_value=0xFFFF)
hosts = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.sampled_from(["node-01.do-ams3.eth.prod.statusim.net", "localhost", "a_b.example", "x."]),
)


@pytest.mark.parametrize(
    ("text", "enode"),
    [
        (f"enode://{ID}@10.3.58.6:30303", Enode(KEY, "10.3.58.6", 30303, 30303)),
        (f"enode://{ID}@10.3.58.6:30303?discport=30301", Enode(KEY, "10.3.58.6", 30303, 30301)),
        (f"enode://{ID}@10.3.58.6:30303?discport=0", Enode(KEY, "10.3.58.6", 30303, 0)),
        (f"enode://{ID}@[::]:52150", Enode(KEY, "::", 52150, 52150)),
        (f"enode://{ID}@[2001:db8::1]:443?discport=1", Enode(KEY, "2001:db8::1", 443, 1)),
        (f"enode://{ID}@relayer.example.org:443", Enode(KEY, "relayer.example.org", 443, 443)),
        (f"enode://{ID}@127.0.0.1:0", Enode(KEY, "127.0.0.1", 0, 0)),
        (f"enode://{ID}", Enode(KEY)),
    ],
)
def test_urls_and_what_they_mean(text: str, enode: Enode) -> None:
    assert Enode.parse(text) == enode
    assert str(enode) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (ID, f"enode://{ID}"),
        (f"ENODE://{ID.upper()}@10.0.0.1:1", f"enode://{ID}@10.0.0.1:1"),
        (f"  enode://{ID}@10.0.0.1:1\n", f"enode://{ID}@10.0.0.1:1"),
        (f"enode://{ID}@10.0.0.1:1/", f"enode://{ID}@10.0.0.1:1"),
        (f"enode://{ID}@10.0.0.1:1?discport=1", f"enode://{ID}@10.0.0.1:1"),
        (f"enode://{ID}@10.0.0.1:1?other=2", f"enode://{ID}@10.0.0.1:1"),
        (f"enode://{ID}@[::ffff:10.0.0.1]:1", f"enode://{ID}@10.0.0.1:1"),
        (f"enode://{ID}@[2001:DB8:0::0001]:1", f"enode://{ID}@[2001:db8::1]:1"),
        (f"enode://{ID}@10.0.0.1:00001", f"enode://{ID}@10.0.0.1:1"),
    ],
)
def test_loose_forms_are_read_and_written_the_one_way(text: str, written: str) -> None:
    assert str(Enode.parse(text)) == written


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "128 hex digits"),
        ("enode://", "128 hex digits"),
        (f"http://{ID}@10.0.0.1:1", "begins with"),
        (f"{ID}@10.0.0.1:1", "begins with"),
        (f"enode://{ID[:-1]}@10.0.0.1:1", "128 hex digits, not 127"),
        (f"enode://{ID[:-1]}g@10.0.0.1:1", "128 hex digits"),
        (f"enode://{'0' * 128}@10.0.0.1:1", "not a point"),
        (f"enode://{ID}@10.0.0.1", "HOST:PORT"),
        (f"enode://{ID}@10.0.0.1:", "HOST:PORT"),
        (f"enode://{ID}@10.0.0.1:65536", "no port"),
        (f"enode://{ID}@10.0.0.1:-1", "HOST:PORT"),
        (f"enode://{ID}@10.0.0.1:1?discport=70000", "no port"),
        (f"enode://{ID}@10.0.0.1:1?discport=x", "no port"),
        (f"enode://{ID}@:30303", "no IP address"),
        (f"enode://{ID}@10.0.0.256:1", "no IP address"),
        (f"enode://{ID}@10.0.0.01:1", "no IP address"),
        (f"enode://{ID}@[10.0.0.1]:1", "brackets"),
        (f"enode://{ID}@[fe80::1%eth0]:1", "without a zone"),
        (f"enode://{ID}@2001:db8::1:30303", "HOST:PORT"),
        (f"enode://{ID}@no host:1", "no DNS name"),
        (f"enode://{ID}@10.0.0.1:1#note", "HOST:PORT"),
        (f"enode://{ID}@{'a' * 64}.example:1", "no DNS name"),
        ("enode://" + "0" * 2000, "2008 characters"),
    ],
)
def test_what_is_no_enode_url_is_refused_by_its_part(text: str, why: str) -> None:
    with pytest.raises(EnodeError, match=why):
        Enode.parse(text)


@given(hosts, ports, ports)
def test_what_is_written_reads_back(host: str, tcp: int, udp: int) -> None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        mapped = getattr(address, "ipv4_mapped", None)
        host = str(mapped or address)
    enode = Enode(KEY, host, tcp, udp)

    assert Enode.parse(str(enode)) == enode


@given(
    st.one_of(
        st.text(max_size=60),
        st.text(max_size=60).map(lambda text: f"enode://{ID}@{text}"),
        st.text(alphabet="0123456789:.[]?=@/abcdiscport", max_size=60).map(
            lambda text: f"enode://{ID}@{text}"
        ),
    )
)
def test_garbage_is_refused_or_reads_back(text: str) -> None:
    try:
        enode = Enode.parse(text)
    except EnodeError:
        return
    assert Enode.parse(str(enode)) == enode


def test_the_node_id_is_that_of_the_key() -> None:
    assert Enode.parse(f"enode://{ID}").node_id == KEY.node_id
