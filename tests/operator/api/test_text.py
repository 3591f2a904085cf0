"""Texts of the manifest, and amounts."""

from __future__ import annotations

from fractions import Fraction
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusfleet.api.text import FORMATS, PRIVATE_IPV4, PRIVATE_IPV6, quantity

NEVER_PUBLIC = [
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
    )
]


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("dns-label", ["a", "a-1", "x" * 63], ["", "-a", "a-", "A", "a.b", "x" * 64, "a\n"]),
        ("dns-name", ["a.b", "nodes.eth-dev.example.org"], ["a", ".a.b", "a.b.", "a_b.c", "a..b"]),
        ("fleet-name", ["eth.prod", "x"], ["", ".x", "Eth", "x/"]),
        ("label-key", ["a", "example.org/team", "A_b.c"], ["", "/a", "a/", "a b", "x/" * 2]),
        ("label-value", ["", "a", "1.2"], ["-", "a b"]),
        ("quantity", ["1", "1.5Gi", "500m"], ["", "1GB", "1 Gi", "-1", "1e3"]),
        (
            "ipv4",
            ["0.0.0.0", "203.0.113.7"],
            ["1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4"],
        ),
        (
            "ipv6",
            ["::", "::1", "fd00::1", "1:2:3:4:5:6:7::", "1::3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
            ["1.2.3.4", "FD00::1", "x", ":", ":::", "1::2::3", "1:2:3", "12345::", "1:" * 8],
        ),
        ("image-repository", ["", "x", "ghcr.io/a/b", "localhost:5000/b"], ["a:tag", "a/", "A"]),
        ("image-digest", ["", "sha256:" + "0" * 64], ["sha256:0"]),
        (
            "host-port",
            ["ns1.example.org:53", "[::1]:53", "10.0.0.1:53", "a:1", "a:9999", "a:65535"],
            ["ns1", ":53", "a:", "a:0", "a:053", "a:65536", "a:99999"],
        ),
        (
            "mail",
            ["a.b@example.org", "a+b@Example.org", "a@localhost"],
            ["a", "@b", "a b@c", "a;b@c", 'a"@c', "ü@c", "a@-", "a@b..c", "x" * 64 + "@c", "a@b."],
        ),
        ("text", ["", "any thing"], ["two\nlines"]),
    ],
)
def test_a_text_is_of_its_kind_or_not(name: str, right: list[str], wrong: list[str]) -> None:
    text_format = FORMATS[name]
    assert [text for text in right if not text_format.matches(text)] == []
    assert [text for text in wrong if text_format.matches(text) and "\n" not in text] == []


@given(st.ip_addresses(v=6))
def test_every_ipv6_address_as_python_writes_it_is_one(ip: IPv6Address) -> None:
    text = str(ip)
    assert FORMATS["ipv6"].matches(text)
    assert not FORMATS["ipv6"].matches(f"{text}:1:2:3:4:5:6:7:8")


@given(st.ip_addresses(v=4))
def test_the_pattern_of_private_addresses_is_the_list_of_their_networks(ip: IPv4Address) -> None:
    private = any(ip in network for network in NEVER_PUBLIC)
    assert (PRIVATE_IPV4.search(str(ip)) is not None) == private


@pytest.mark.parametrize("network", NEVER_PUBLIC, ids=str)
def test_a_private_network_is_known_to_its_ends_and_not_beyond(network: object) -> None:
    first, last = int(network[0]), int(network[-1])  # type: ignore[index]
    for number in (first, last):
        assert PRIVATE_IPV4.search(str(IPv4Address(number)))
    for number in {first - 1, last + 1} - {-1}:
        assert not PRIVATE_IPV4.search(str(IPv4Address(number)))


@pytest.mark.parametrize(
    ("ip6", "private"),
    [
        ("::", True),
        ("::1", True),
        ("fd12:3456::1", True),
        ("fc00::", True),
        ("fe80::1", True),
        ("febf::1", True),
        ("fec0::1", False),
        ("2a00:1450::1", False),
        ("::12", False),
        ("fd::1", False),
    ],
)
def test_a_private_ipv6_address_is_known_by_its_beginning(ip6: str, private: bool) -> None:
    assert (PRIVATE_IPV6.search(ip6) is not None) == private


def test_amounts_compare_across_units() -> None:
    assert quantity("1Gi") == 1024 * quantity("1Mi") == Fraction(2**30)
    assert quantity("1G") < quantity("1Gi") < quantity("1.1G")
    assert quantity("500m") == Fraction(1, 2)
    with pytest.raises(ValueError, match="must be an amount"):
        quantity("1 GB")
