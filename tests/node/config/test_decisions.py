"""What a running node may take up, what no node can be, and what nobody may see."""

from __future__ import annotations

import json

import pytest

from statusnode.config.changes import LIVE_PATHS, Changes, changes
from statusnode.config.model import NodeConfig
from statusnode.config.redaction import SECRET_PATHS, document_of, redacted
from statusnode.config.unsupported import unsupported


def config(**sections: object) -> NodeConfig:
    document = NodeConfig().model_dump(by_alias=True)
    for key, value in sections.items():
        current = document[key]
        document[key] = current | value if isinstance(value, dict) and current else value
    return NodeConfig.model_validate(document)


def test_equal_configurations_differ_in_nothing() -> None:
    assert changes(config(), config()) == Changes((), ())


def test_peers_pow_and_limits_are_live() -> None:
    new = config(
        MaxPeers=7,
        ClusterConfig={"StaticNodes": ["a"]},
        WakuConfig={"MinimumPoW": 0.5, "EnableRateLimiter": True},
        StatusFleet={"FleetPeers": ["b"]},
    )
    found = changes(config(), new)
    assert set(found.live) == {
        "MaxPeers",
        "ClusterConfig.StaticNodes",
        "WakuConfig.MinimumPoW",
        "WakuConfig.EnableRateLimiter",
        "StatusFleet.FleetPeers",
    }
    assert found.restart == ()


def test_the_rest_needs_a_restart() -> None:
    new = config(NodeKey="1" * 64, HTTPPort=1, WakuConfig={"Enabled": False})
    assert changes(config(), new) == Changes((), ("NodeKey", "HTTPPort", "WakuConfig.Enabled"))


def test_absent_null_and_empty_are_the_same() -> None:
    empty = config(StatusFleet={"FleetPeers": []}, RegisterTopics=None)
    assert changes(config(), empty) == Changes((), ())


def test_every_live_path_is_a_key() -> None:
    document = config(StatusFleet={}).model_dump(by_alias=True)
    for path in LIVE_PATHS:
        value: object = document
        for key in path.split("."):
            assert isinstance(value, dict)
            value = value[key]


def test_a_node_for_waku_alone_is_possible() -> None:
    assert unsupported(config()) == []
    mailserver = {"EnableMailServer": True, "MailServerPassword": "x"}
    assert unsupported(config(WakuConfig=mailserver)) == []


@pytest.mark.parametrize(
    ("sections", "path"),
    [
        ({"WhisperConfig": {"Enabled": True}}, "WhisperConfig.Enabled"),
        ({"BridgeConfig": {"Enabled": True}}, "BridgeConfig.Enabled"),
        ({"WakuConfig": {"EnableMailServer": True}}, "WakuConfig.MailServerPassword"),
        (
            {
                "WakuConfig": {
                    "EnableMailServer": True,
                    "MailServerPassword": "x",
                    "DatabaseConfig": {"PGConfig": {"Enabled": True, "URI": "x"}},
                }
            },
            "WakuConfig.DatabaseConfig.PGConfig.Enabled",
        ),
        ({"NoDiscovery": False, "ClusterConfig": {"Enabled": True}}, "NoDiscovery"),
        ({"Rendezvous": True, "ClusterConfig": {"Enabled": True}}, "Rendezvous"),
        ({"RegisterTopics": ["a"]}, "RegisterTopics"),
        ({"RequireTopics": {"a": {"Min": 1, "Max": 1}}}, "RequireTopics"),
        ({"MailServerRegistryAddress": "0x"}, "MailServerRegistryAddress"),
        ({"LightEthConfig": {"Enabled": True}}, "LightEthConfig.Enabled"),
        ({"UpstreamConfig": {"Enabled": True}}, "UpstreamConfig.Enabled"),
        ({"EnableStatusService": True}, "EnableStatusService"),
        ({"WalletConfig": {"Enabled": True}}, "WalletConfig.Enabled"),
        ({"MailserversConfig": {"Enabled": True}}, "MailserversConfig.Enabled"),
        (
            {"PushNotificationServerConfig": {"Enabled": True}},
            "PushNotificationServerConfig.Enabled",
        ),
        ({"MaxPeers": -1}, "MaxPeers"),
        ({"HTTPPort": 70000}, "HTTPPort"),
        ({"WakuConfig": {"MinimumPoW": -1.0}}, "WakuConfig.MinimumPoW"),
    ],
)
def test_what_no_node_can_be_is_named(sections: dict[str, object], path: str) -> None:
    (problem,) = unsupported(config(**sections))
    assert problem.path == path
    assert problem.message


def test_discovery_is_nothing_to_refuse_while_the_cluster_is_off() -> None:
    assert unsupported(config(NoDiscovery=False, Rendezvous=True)) == []


def test_secrets_are_struck_out_and_nothing_else_is() -> None:
    secret = "swordfish"
    document = document_of(config())
    for *sections, key in SECRET_PATHS:
        section = document
        for name in sections:
            section = section[name]
        section[key] = secret
    whole = NodeConfig.model_validate(document)
    shown = redacted(whole)
    assert secret not in json.dumps(shown)
    assert json.dumps(shown).replace("***", secret) == json.dumps(document_of(whole))


def test_an_empty_secret_is_shown_empty() -> None:
    assert redacted(config())["NodeKey"] == ""


def test_keys_that_sound_secret_are_struck_out() -> None:
    """Whoever adds a key that holds a secret is reminded here."""
    suspicious = ("key", "password", "uri", "secret")
    harmless = {"KeyStoreDir"}
    paths: list[tuple[str, ...]] = []

    def walk(document: dict[str, object], prefix: tuple[str, ...]) -> None:
        for name, value in document.items():
            if isinstance(value, dict):
                walk(value, (*prefix, name))
            elif any(word in name.lower() for word in suspicious) and name not in harmless:
                paths.append((*prefix, name))

    walk(document_of(config()), ())
    assert set(paths) <= set(SECRET_PATHS) | {("ShhextConfig", "MaxServerFailures")}
