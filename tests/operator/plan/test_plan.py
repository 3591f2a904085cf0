"""From wish and observation to what should exist."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from statusfleet.api.fleet import StatusFleet
from statusfleet.plan import Endpoint, Member, Observation, Plan, desired_members, make_plan
from statusfleet.plan.settings import PUBLIC_MAIL_PASSWORD
from statusnode.config.changes import LIVE_PATHS
from statusnode.config.load import parse_model
from statusnode.config.model import NodeConfig
from statusnode.config.unsupported import unsupported
from statusnode.config.validation import check
from statusnode.records.enode import Enode
from statusnode.records.enr import Record
from support.fleet_observations import fleet, key_of, observe, remember
from support.manifest_tables import ENODE, TREE_URL

SPEC: dict[str, Any] = {
    "roles": {"relayer": {"replicas": 2}, "mailserver": {"replicas": 1}},
    "tree": {"domain": "nodes.example.org", "ttl": {"root": "5s"}},
}


def spec_of(relayers: int, mailservers: int, **fields: Any) -> dict[str, Any]:
    roles = {"relayer": {"replicas": relayers}, "mailserver": {"replicas": mailservers}}
    return {**SPEC, "roles": roles, **fields}


def planned(spec: dict[str, Any], **secrets: str) -> Plan:
    wanted = fleet(spec)
    return make_plan(wanted, observe(wanted, **secrets))


def member(plan: Plan, name: str) -> Member:
    found = plan.member(name)
    assert found is not None
    return found


def dig(config: dict[str, Any], path: str) -> Any:
    for step in path.split("."):
        config = config[step]
    return config


sizes = st.tuples(st.integers(0, 12), st.integers(0, 5)).filter(any)


@given(sizes)
def test_equal_input_gives_equal_plans(size: tuple[int, int]) -> None:
    first, second = fleet(spec_of(*size)), fleet(spec_of(*size))
    assert make_plan(first, observe(first)) == make_plan(second, observe(second))


@given(sizes)
def test_a_plan_whose_records_were_kept_stays_as_it_is(size: tuple[int, int]) -> None:
    wanted = fleet(spec_of(*size))
    observation = observe(wanted)
    plan = make_plan(wanted, observation)
    assert make_plan(wanted, remember(observation, plan)) == plan


@given(sizes, sizes)
def test_scaling_restarts_nobody_and_keeps_every_identity(
    before: tuple[int, int], after: tuple[int, int]
) -> None:
    old, new = planned(spec_of(*before)), planned(spec_of(*after))
    for known in old.members:
        same = new.member(known.name)
        if same is not None:
            assert same.restart_hash == known.restart_hash
            assert same.startup == known.startup
            assert (same.enode, same.record) == (known.enode, known.record)


@given(st.integers(6, 40))
def test_one_relayer_more_reaches_only_its_neighbours(count: int) -> None:
    old, new = planned(spec_of(count, 1)), planned(spec_of(count + 1, 1))
    changed = [m.name for m in old.members if member(new, m.name) != m]
    assert len(changed) <= 12


def test_members_come_by_role_and_ordinal() -> None:
    assert [m.name for m in planned(SPEC).members] == ["relayer-0", "relayer-1", "mailserver-0"]


def test_a_disabled_member_is_left_out_and_removed_where_it_runs() -> None:
    everything = fleet(SPEC)
    spec = spec_of(2, 1)
    spec["roles"]["relayer"] |= {"members": [{"ordinal": 0, "disabled": True}]}
    plan = make_plan(fleet(spec), observe(everything))
    assert [m.name for m in plan.members] == ["relayer-1", "mailserver-0"]
    assert plan.removed == ("relayer-0",)


@pytest.mark.parametrize("name", ["relayer-0", "mailserver-0"])
def test_the_node_takes_the_configuration(name: str) -> None:
    config = member(planned(SPEC), name).whole_config
    document = NodeConfig().model_dump(by_alias=True)
    for key, value in config.items():
        known = document[key]
        document[key] = {**known, **value} if isinstance(known, dict) else value
    node = parse_model(document, "")
    assert check(node) == []
    assert unsupported(node) == []
    assert node.waku.full_node
    assert node.waku.enable_mail_server == name.startswith("mailserver")
    assert node.no_discovery


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("relayer-0", "MaxPeers", 100),
        ("mailserver-0", "MaxPeers", 5000),
        ("relayer-0", "WakuConfig.MinimumPoW", 0.000002),
        ("relayer-0", "ClusterConfig.Fleet", "eth-dev"),
        ("relayer-0", "DataDir", "/data/members/relayer-0"),
        ("relayer-0", "KeyStoreDir", "/data/members/relayer-0/keystore"),
        ("relayer-0", "WakuConfig.DataDir", "/data/members/relayer-0"),
        ("relayer-0", "HTTPHost", "127.0.0.1"),
        ("relayer-0", "StatusFleet.MetricsHost", "127.0.0.1"),
        ("relayer-0", "EnableNTPSync", False),
        ("mailserver-0", "WakuConfig.MailServerDataRetention", 30),
        ("mailserver-0", "WakuConfig.MailServerRateLimit", 1),
        ("mailserver-0", "WakuConfig.MailServerPassword", PUBLIC_MAIL_PASSWORD),
    ],
)
def test_settings_of_a_member(name: str, path: str, value: object) -> None:
    assert dig(member(planned(SPEC), name).whole_config, path) == value


def test_a_user_s_settings_are_merged_by_key_and_win() -> None:
    spec = spec_of(1, 0)
    spec["roles"]["relayer"] |= {
        "config": {"LogLevel": "DEBUG", "WakuConfig": {"MaxMessageSize": 5}}
    }
    config = member(planned(spec), "relayer-0").config
    assert config["LogLevel"] == "DEBUG"
    assert dig(config, "WakuConfig.MaxMessageSize") == 5
    assert dig(config, "WakuConfig.FullNode") is True


def test_peers_of_the_fleet_are_enodes_that_can_be_dialed() -> None:
    plan = planned(SPEC)
    first = member(plan, "relayer-0")
    others = {member(plan, name).enode for name in ("relayer-1", "mailserver-0")}
    assert set(first.fleet_peers) == others
    assert {Enode.parse(t) for t in dig(first.config, "StatusFleet.FleetPeers")} == others


def test_a_record_says_nothing_of_udp_where_nobody_listens() -> None:
    first = member(planned(SPEC), "relayer-0")
    assert first.record is not None
    assert first.record.udp is None
    assert str(first.enode).endswith("?discport=0")
    assert Record.parse(dig(first.config, "StatusFleet.Record")) == first.record


def test_members_know_the_canary_while_there_is_one() -> None:
    canary = key_of("canary").public_key.data.hex()
    assert dig(member(planned(SPEC), "relayer-0").config, "StatusFleet.Canary") == canary
    without = member(planned({**SPEC, "canary": {"enabled": False}}), "relayer-0")
    assert "Canary" not in dig(without.config, "StatusFleet")


def test_static_peers_and_trusted_mailservers_of_others_are_added() -> None:
    spec = {**SPEC, "peers": {"static": [ENODE], "trustedMailservers": [ENODE]}}
    plan = planned(spec)
    config = member(plan, "relayer-0").config
    assert dig(config, "ClusterConfig.StaticNodes") == [ENODE]
    mailserver = str(member(plan, "mailserver-0").enode)
    assert dig(config, "ClusterConfig.TrustedMailServers") == [mailserver, ENODE]
    own = member(plan, "mailserver-0").config
    assert dig(own, "ClusterConfig.TrustedMailServers") == [ENODE]


def test_the_live_part_is_what_a_running_node_reads_again() -> None:
    for known in planned(SPEC).members:
        live = {f"{k}.{n}" for k, v in known.live.items() if isinstance(v, dict) for n in v}
        live |= {k for k, v in known.live.items() if not isinstance(v, dict)}
        started = {f"{k}.{n}" for k, v in known.startup.items() if isinstance(v, dict) for n in v}
        assert live <= LIVE_PATHS
        assert not started & LIVE_PATHS


ROLE: dict[str, Any] = {"replicas": 1}


@pytest.mark.parametrize(
    ("change", "restarts"),
    [
        ({"maxPeers": 7}, False),
        ({"minPow": 0.01}, False),
        ({"retentionDays": 1}, False),
        ({"rateLimit": "3s"}, False),
        ({"config": {"LogLevel": "DEBUG"}}, "LogLevel" not in LIVE_PATHS),
        ({"config": {"MaxPendingPeers": 7}}, True),
        ({"password": {"secretKeyRef": {"name": "mail", "key": "a"}}}, True),
        ({"expose": {"type": "ClusterIP"}}, False),
        ({"resources": {"limits": {"cpu": "1"}}}, False),
    ],
    ids=str,
)
def test_only_settings_of_the_start_restart_a_member(
    change: dict[str, Any], restarts: bool
) -> None:
    plans = [planned({"roles": {"mailserver": {**ROLE, **more}}}, a="new") for more in ({}, change)]
    before, after = (member(plan, "mailserver-0").restart_hash for plan in plans)
    assert (before != after) == restarts


def test_settings_that_the_world_keeps_are_kept_and_told_of() -> None:
    wanted = fleet(SPEC)
    seen = observe(wanted)
    before = member(make_plan(wanted, seen), "relayer-0")
    # What the version before this one would have said.
    kept = {**before.startup, "APIModules": "net"}
    named = replace(seen.members["relayer-0"], pinned_startup=kept)
    plan = make_plan(wanted, replace(seen, members={**seen.members, "relayer-0": named}))
    after = member(plan, "relayer-0")
    assert after.config["APIModules"] == "net"
    assert after.update_pending
    assert after.restart_hash != before.restart_hash
    assert after.live == before.live
    assert [m.name for m in plan.members if m.update_pending] == ["relayer-0"]
    same = replace(named, pinned_startup=dict(before.startup))
    plan = make_plan(wanted, replace(seen, members={**seen.members, "relayer-0": same}))
    assert member(plan, "relayer-0") == before


def test_another_program_restarts_a_member() -> None:
    wanted = fleet(SPEC)
    observation = observe(wanted)
    first = observation.members["relayer-0"]
    assert first.seat is not None
    newer = replace(first, seat=replace(first.seat, program="statusd 0.2.0"))
    updated = replace(observation, members={**observation.members, "relayer-0": newer})
    before, after = make_plan(wanted, observation), make_plan(wanted, updated)
    changed = [
        m.name for m in before.members if m.restart_hash != member(after, m.name).restart_hash
    ]
    assert changed == ["relayer-0"]


@given(st.text("abcdefghij", min_size=8, max_size=20))
def test_no_text_of_a_plan_shows_a_key_or_a_password(password: str) -> None:
    spec = spec_of(1, 1)
    spec["roles"]["mailserver"] |= {"password": {"secretKeyRef": {"name": "mail", "key": "a"}}}
    wanted = fleet(spec)
    observation = observe(wanted, a=password)
    plan = make_plan(wanted, observation)
    shown = f"{plan!r}{observation!r}" + json.dumps([m.config for m in plan.members])
    assert password not in shown
    for name in observation.members:
        assert key_of(name).data.hex() not in shown
    assert (
        dig(member(plan, "mailserver-0").whole_config, "WakuConfig.MailServerPassword") == password
    )
    assert member(plan, "mailserver-0").whole_config["NodeKey"] == key_of("mailserver-0").data.hex()


def lacking(wanted: StatusFleet, name: str, **without: Any) -> Observation:
    observation = observe(wanted)
    seen = replace(observation.members[name], **without)
    return replace(observation, members={**observation.members, name: seen})


@pytest.mark.parametrize(
    ("without", "lacks", "is_planned"),
    [
        ({"key": None}, "key", False),
        ({"seat": None}, "seat", False),
        ({"advertised": None}, "address", True),
    ],
)
def test_what_a_member_lacks_is_waited_for(
    without: dict[str, Any], lacks: str, is_planned: bool
) -> None:
    wanted = fleet(SPEC)
    plan = make_plan(wanted, lacking(wanted, "relayer-0", **without))
    (waiting,) = plan.waiting
    assert (waiting.id.name, waiting.lacks) == ("relayer-0", lacks)
    assert (plan.member("relayer-0") is not None) == is_planned
    assert plan.tree is not None
    assert [name for name, _ in plan.tree.candidates] == ["relayer-1", "mailserver-0"]
    assert plan.removed == ()


def test_a_member_that_nothing_is_known_of_is_waited_for() -> None:
    plan = make_plan(fleet(SPEC), Observation())
    assert [(w.id.name, w.lacks) for w in plan.waiting] == [
        (m.name, "key") for m in desired_members(fleet(SPEC).spec)
    ]


def test_why_a_world_could_not_make_a_key_is_passed_on() -> None:
    wanted = fleet(SPEC)
    plan = make_plan(wanted, lacking(wanted, "relayer-0", key=None, message="the file is damaged"))
    assert plan.waiting[0].message == "the file is damaged"


def test_a_missing_password_is_waited_for_by_name() -> None:
    spec = spec_of(1, 1)
    spec["roles"]["mailserver"] |= {"password": {"secretKeyRef": {"name": "mail", "key": "a"}}}
    wanted = fleet(spec)
    plan = make_plan(wanted, observe(wanted))
    assert [(w.id.name, w.lacks) for w in plan.waiting] == [("mailserver-0", "secret")]
    assert "key a of Secret mail" in plan.waiting[0].message
    plan = make_plan(wanted, replace(observe(wanted), secrets={("mail", "a"): SecretStr("x")}))
    assert plan.waiting == ()


def test_an_empty_password_is_waited_for_and_never_the_public_one() -> None:
    spec = spec_of(0, 1)
    spec["roles"]["mailserver"] |= {"password": {"secretKeyRef": {"name": "mail", "key": "a"}}}
    plan = planned(spec, a="")
    assert plan.members == ()
    assert "key a of Secret mail is empty: give it a value" in plan.waiting[0].message


def test_of_two_members_with_one_key_the_first_has_it() -> None:
    wanted = fleet(SPEC)
    plan = make_plan(wanted, lacking(wanted, "relayer-1", key=key_of("relayer-0")))
    (waiting,) = plan.waiting
    assert (waiting.id.name, waiting.lacks) == ("relayer-1", "key")
    assert waiting.message.startswith("its node key is that of relayer-0 already")
    assert plan.tree is not None
    assert [name for name, _ in plan.tree.candidates] == ["relayer-0", "mailserver-0"]


def test_a_member_that_is_known_by_its_key_keeps_it_from_one_that_is_given_it() -> None:
    wanted = fleet(SPEC)
    before = remember(observe(wanted), make_plan(wanted, observe(wanted)))
    given_to = replace(before.members["relayer-0"], key=key_of("relayer-1"))
    after = replace(before, members={**before.members, "relayer-0": given_to})
    plan = make_plan(wanted, after)
    assert [w.id.name for w in plan.waiting] == ["relayer-0"]
    assert "that of relayer-1 already" in plan.waiting[0].message


def test_members_dial_each_other_inside_and_advertise_outside() -> None:
    wanted = fleet(SPEC)
    outside = Endpoint("203.0.113.7", 443, 443)
    inside = Endpoint("relayer-0.eth-dev.svc", 30303)
    plan = make_plan(wanted, lacking(wanted, "relayer-0", advertised=outside, dial=inside))
    first = member(plan, "relayer-0")
    assert str(first.enode).endswith("@203.0.113.7:443")
    assert first.record is not None
    assert (first.record.ip, first.record.tcp, first.record.udp) == ("203.0.113.7", 443, 443)
    dialed = dig(member(plan, "relayer-1").config, "StatusFleet.FleetPeers")
    assert any(t.endswith("@relayer-0.eth-dev.svc:30303?discport=0") for t in dialed)


def test_the_tree_has_every_member_that_has_a_record() -> None:
    plan = planned({**SPEC, "tree": {**SPEC["tree"], "links": [TREE_URL]}})
    assert plan.tree is not None
    assert plan.tree.domain == "nodes.example.org"
    assert plan.tree.candidates == tuple((m.name, m.record) for m in plan.members)
    assert (plan.tree.root_ttl_seconds, plan.tree.entries_ttl_seconds) == (5, 86_400)
    assert (plan.tree.soa_minimum_seconds, plan.tree.sinks) == (60, ("embedded",))
    assert plan.tree.links == (TREE_URL,)


def test_the_zone_says_what_the_manifest_says() -> None:
    soa = {"nameServers": ["ns1.example.org"], "mail": "dns.admin@example.org", "minimum": "5s"}
    tree = planned({**SPEC, "tree": {**SPEC["tree"], "soa": soa}}).tree
    assert tree is not None
    assert (tree.name_servers, tree.soa_minimum_seconds) == (("ns1.example.org",), 5)
    assert tree.mailbox == "dns\\.admin.example.org"
    usual = planned(SPEC).tree
    assert usual is not None
    assert (usual.name_servers, usual.mailbox) == (("localhost",), "hostmaster.nodes.example.org")


def test_without_a_domain_there_is_no_tree() -> None:
    assert planned({"roles": {"relayer": {}}}).tree is None
