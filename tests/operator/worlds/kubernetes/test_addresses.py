"""Which address a record names.

manifest's own ─► else what the way of exposure has ─► scope ─► IPv4 and IPv6 of one source
"""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusfleet.api.exposure import Address, Expose
from statusfleet.plan import Endpoint
from statusfleet.worlds.kubernetes.addresses import (
    Chosen,
    Seen,
    advertised,
    dialed,
    may_be_published,
)
from statusfleet.worlds.kubernetes.records import Child, NodeRecord, ServiceRecord

PUBLIC, PUBLIC_TOO, PUBLIC6 = "8.8.4.4", "1.1.1.1", "2606:4700:4700::1111"
PRIVATE, CLUSTER, CLUSTER6 = "172.30.0.2", "10.96.3.4", "fd00::a60:304"
NODE = NodeRecord("node-1", external_ips=(PUBLIC,), internal_ips=(PRIVATE,))


def service(**fields: Any) -> ServiceRecord:
    known = {"cluster_ips": (CLUSTER,), "port": 30303, "node_port": 31234}
    return ServiceRecord(Child("Service", "eth-dev-relayer-0"), **{**known, **fields})


BOTH = service(cluster_ips=(CLUSTER, CLUSTER6))


def expose(**fields: Any) -> Expose:
    return Expose.model_validate(fields)


@pytest.mark.parametrize(
    ("wish", "seen", "expected"),
    [
        pytest.param(
            expose(),
            Seen(service(), NODE),
            Chosen(Endpoint(PUBLIC, 31234), "NodePort/ExternalIP"),
            id="a node port at the pod's own node",
        ),
        pytest.param(
            expose(addressTypes=["InternalIP", "ExternalIP"], addressScope="Private"),
            Seen(service(), NODE),
            Chosen(Endpoint(PRIVATE, 31234), "NodePort/InternalIP"),
            id="the type of address that stands first",
        ),
        pytest.param(
            expose(),
            Seen(service(), NodeRecord("n", (PRIVATE,), (PUBLIC,))),
            Chosen(Endpoint(PUBLIC, 31234), "NodePort/InternalIP"),
            id="the next type where the first has only what may not be published",
        ),
        pytest.param(
            expose(type="HostPort"),
            Seen(service(), NODE),
            Chosen(Endpoint(PUBLIC, 30303), "HostPort/ExternalIP"),
            id="a port of the pod's own node",
        ),
        pytest.param(
            expose(type="HostPort", port=443),
            Seen(service(), NODE),
            Chosen(Endpoint(PUBLIC, 443), "HostPort/ExternalIP"),
            id="a port of the node that is advertised",
        ),
        pytest.param(
            expose(type="LoadBalancer", port=443),
            Seen(service(balancer_ips=(PUBLIC_TOO,)), NODE),
            Chosen(Endpoint(PUBLIC_TOO, 443), "LoadBalancer"),
            id="a load balancer by address, past the node",
        ),
        pytest.param(
            expose(type="LoadBalancer"),
            Seen(service(balancer_names=("lb.example",)), NODE, {"lb.example": (PUBLIC_TOO,)}),
            Chosen(Endpoint(PUBLIC_TOO, 30303), "LoadBalancer"),
            id="a load balancer by name",
        ),
        pytest.param(
            expose(type="LoadBalancer"),
            Seen(
                service(balancer_names=("lb.example",)),
                NODE,
                previous=frozenset((PUBLIC, PUBLIC6)),
                last_port=30303,
            ),
            Chosen(Endpoint(PUBLIC, 30303, host6=PUBLIC6), "LoadBalancer"),
            id="the last one of a load balancer, until somebody tells what its name stands for",
        ),
        pytest.param(
            expose(type="ClusterIP", addressScope="Private"),
            Seen(service()),
            Chosen(Endpoint(CLUSTER, 30303), "ClusterIP"),
            id="the Service's own address",
        ),
        pytest.param(
            expose(type="ClusterIP", addressScope="Private"),
            Seen(service(cluster_ips=(CLUSTER6, CLUSTER))),
            Chosen(Endpoint(CLUSTER, 30303, host6=CLUSTER6), "ClusterIP"),
            id="both families of one source",
        ),
        pytest.param(
            expose(),
            Seen(service(cluster_ips=(CLUSTER6,)), NodeRecord("n", (PUBLIC6,))),
            Chosen(Endpoint(PUBLIC6, 31234), "NodePort/ExternalIP"),
            id="IPv6 alone",
        ),
        pytest.param(
            expose(),
            Seen(BOTH, NodeRecord("n", (PUBLIC,), (PRIVATE, PUBLIC6))),
            Chosen(Endpoint(PUBLIC, 31234, host6=PUBLIC6), "NodePort/ExternalIP"),
            id="the IPv6 address that a cloud calls internal",
        ),
        pytest.param(
            expose(),
            Seen(BOTH, NodeRecord("n", (PUBLIC6,), (PUBLIC,))),
            Chosen(Endpoint(PUBLIC, 31234, host6=PUBLIC6), "NodePort/ExternalIP"),
            id="the IPv4 address beside it likewise",
        ),
        pytest.param(
            expose(),
            Seen(service(), NodeRecord("n", (PUBLIC, PUBLIC6))),
            Chosen(Endpoint(PUBLIC, 31234), "NodePort/ExternalIP"),
            id="no IPv6 address of a node whose pods have none",
        ),
        pytest.param(
            expose(addressTypes=["ExternalIP"]),
            Seen(BOTH, NodeRecord("n", (PUBLIC,), (PRIVATE, PUBLIC6))),
            Chosen(Endpoint(PUBLIC, 31234), "NodePort/ExternalIP"),
            id="no address of a type that is not asked for",
        ),
        pytest.param(
            expose(addressScope="Private"),
            Seen(BOTH, NodeRecord("n", (PUBLIC,), (PRIVATE, CLUSTER6))),
            Chosen(Endpoint(PUBLIC, 31234), "NodePort/ExternalIP"),
            id="no private address beside a public one",
        ),
        pytest.param(
            expose(),
            Seen(
                BOTH,
                NodeRecord("n", (PUBLIC,), (PUBLIC_TOO, PUBLIC6)),
                previous=frozenset({PUBLIC_TOO}),
            ),
            Chosen(Endpoint(PUBLIC, 31234, host6=PUBLIC6), "NodePort/ExternalIP"),
            id="the better type, whatever was published before",
        ),
        pytest.param(
            expose(type="LoadBalancer"),
            Seen(service(balancer_ips=(PUBLIC, PUBLIC_TOO)), previous=frozenset({PUBLIC_TOO})),
            Chosen(Endpoint(PUBLIC_TOO, 30303), "LoadBalancer"),
            id="among equals the one that is published already",
        ),
        pytest.param(
            expose(),
            Seen(service(), None, previous=frozenset({PUBLIC}), last_port=31234),
            Chosen(Endpoint(PUBLIC, 31234), "NodePort/last"),
            id="the last one while a pod that is started anew has no node",
        ),
    ],
)
def test_the_address_is(wish: Expose, seen: Seen, expected: Chosen) -> None:
    assert advertised(wish, None, seen) == expected


@pytest.mark.parametrize(
    ("wish", "seen", "words"),
    [
        (expose(), Seen(), "its Service is not there yet"),
        (expose(), Seen(service()), "its pod has no node yet"),
        (
            expose(),
            Seen(service(), None, previous=frozenset({PUBLIC}), last_port=31000),
            "its pod has no node yet",
        ),
        (expose(), Seen(service(node_port=0), NODE), "its Service has no node port yet"),
        (expose(), Seen(service(), NodeRecord("n")), "its node n has no ExternalIP and InternalIP"),
        (expose(), Seen(service(), NodeRecord("n", (), (PRIVATE,))), "addressScope to Private"),
        (expose(), Seen(service(), NodeRecord("n", (PUBLIC6,))), "InternalIP of IPv4, which its"),
        (expose(type="ClusterIP"), Seen(service()), "reached from inside the cluster alone"),
        (expose(type="Static"), Seen(service(), NODE), "must stand in members"),
        (expose(type="LoadBalancer"), Seen(service(), NODE), "kubectl describe service eth-dev-"),
        (
            expose(type="LoadBalancer"),
            Seen(service(balancer_names=("lb.example",))),
            "lb.example has no address in DNS yet",
        ),
        (
            expose(type="LoadBalancer"),
            Seen(
                service(balancer_names=("lb.example",)),
                NODE,
                {"lb.example": ()},
                frozenset((PUBLIC,)),
                30303,
            ),
            "lb.example has no address in DNS yet",
        ),
    ],
)
def test_without_an_address_the_reason_and_the_remedy_are_told(
    wish: Expose, seen: Seen, words: str
) -> None:
    chosen = advertised(wish, None, seen)
    assert chosen.endpoint is None
    assert words in chosen.problem


def test_the_manifests_own_address_wins_over_everything() -> None:
    own = Address.model_validate({"ip": "203.0.113.7", "tcp": 443, "udp": 443})
    chosen = advertised(expose(), own, Seen(service(), NODE))
    # No UDP: nothing listens there.
    assert chosen == Chosen(Endpoint("203.0.113.7", 443), "Override")


def test_the_fleet_dials_the_service_wherever_the_pod_is() -> None:
    assert dialed(service(port=443)) == Endpoint(CLUSTER, 443)
    assert dialed(service(cluster_ips=())) is None
    assert dialed(None) is None


hosts = st.lists(
    st.one_of(st.ip_addresses().map(str), st.sampled_from([PUBLIC, PRIVATE, "0.0.0.0", "x"])),
    max_size=4,
).map(tuple)
seens = st.builds(
    Seen,
    service=st.none()
    | st.builds(
        service,
        cluster_ips=hosts,
        balancer_ips=hosts,
        balancer_names=st.just(("lb",)),
        node_port=st.sampled_from([0, 31234]),
    ),
    node=st.none() | st.builds(NodeRecord, st.just("n"), hosts, hosts),
    resolved=st.dictionaries(st.just("lb"), hosts),
    previous=hosts.map(frozenset),
    last_port=st.sampled_from([0, 30303, 31234]),
)
wishes = st.builds(
    lambda kind, scope: expose(type=kind, addressScope=scope),
    st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer", "HostPort", "Static"]),
    st.sampled_from(["Public", "Private"]),
)


@given(wishes, seens)
def test_an_address_is_whole_allowed_and_real_or_there_is_a_reason(
    wish: Expose, seen: Seen
) -> None:
    chosen = advertised(wish, None, seen)
    if chosen.endpoint is None:
        assert chosen.problem
        return
    assert chosen.source
    assert not chosen.problem
    assert 0 < chosen.endpoint.tcp < 65536
    assert chosen.endpoint.udp == 0
    for host in filter(None, (chosen.endpoint.host, chosen.endpoint.host6)):
        assert may_be_published(host, wish)
        assert not ipaddress.ip_address(host).is_unspecified
        if wish.address_scope == "Public":
            assert ipaddress.ip_address(host).is_global
    if chosen.endpoint.host6:
        assert ipaddress.ip_address(chosen.endpoint.host).version == 4
        assert ipaddress.ip_address(chosen.endpoint.host6).version == 6


@given(wishes, seens)
def test_an_address_once_chosen_stays_while_it_is_there(wish: Expose, seen: Seen) -> None:
    first = advertised(wish, None, seen).endpoint
    if first is None:
        return
    kept = frozenset(filter(None, (first.host, first.host6)))
    again = Seen(seen.service, seen.node, seen.resolved, kept, first.tcp)
    assert advertised(wish, None, again).endpoint == first
