"""Merge order, types and rules, as statusd 0.68.4 has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from statusnode.config.errors import ConfigError, Problem
from statusnode.config.load import Loaded, Sources, load
from statusnode.config.model import NodeConfig

KEY = "1" * 64


def config_of(*documents: object, **flags: object) -> NodeConfig:
    return loaded_of(*documents, **flags).config


def loaded_of(*documents: object, **flags: object) -> Loaded:
    texts = {Path(f"{i}.json"): json.dumps(text).encode() for i, text in enumerate(documents)}
    settings = {"data_dir": "/d", "files": tuple(texts)} | flags
    return load(Sources(**settings), read=texts.__getitem__)  # type: ignore[arg-type]


def problems_of(*documents: object, **flags: object) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        config_of(*documents, **flags)
    return caught.value.problems


def test_folders_follow_the_flag() -> None:
    config = config_of(data_dir="./a/../b//c")
    assert config.data_dir == "./a/../b//c"
    assert config.key_store_dir == "b/c/keystore"
    assert config.waku.data_dir == "b/c/waku"
    assert config.whisper.data_dir == "b/c/wnode"
    assert config.shhext.backup_disabled_data_dir == "./a/../b//c"


def test_folders_do_not_follow_a_file() -> None:
    config = config_of({"DataDir": "/elsewhere"})
    assert config.data_dir == "/elsewhere"
    assert config.key_store_dir == "/d/keystore"
    assert config.waku.data_dir == "/d/waku"


def test_later_files_win_and_flags_win_over_files() -> None:
    config = config_of(
        {"ListenAddr": ":1", "MaxPeers": 7, "LogLevel": "WARN", "NetworkId": 5},
        {"ListenAddr": ":2", "Name": "x"},
        listen_addr=":3",
        log_level="debug",
        network_id=4,
    )
    assert config.listen_addr == ":3"
    assert config.max_peers == 7
    assert config.log_level == "debug"
    assert config.name == "Statusd"
    assert config.network_id == 5, "the flag is a default only"


def test_minimum_pow_of_a_file_is_kept() -> None:
    assert config_of({"WakuConfig": {"MinimumPoW": 0.01}}).waku.minimum_pow == 0.01


def test_a_fleet_brings_its_nodes_and_discovery() -> None:
    config = config_of(fleet="eth.staging")
    assert config.cluster.enabled
    assert config.cluster.fleet == "eth.staging"
    assert not config.no_discovery
    assert config.rendezvous
    assert len(config.cluster.boot_nodes or ()) == 3
    assert config_of(fleet="eth.test").log_level == "DEBUG"


@pytest.mark.parametrize(
    ("fleet", "boot", "mail"), [("eth.prod", 6, 9), ("eth.staging", 3, 3), ("eth.test", 3, 3)]
)
def test_built_in_fleets_are_whole(fleet: str, boot: int, mail: int) -> None:
    cluster = config_of(fleet=fleet).cluster
    assert len(cluster.boot_nodes or ()) == len(cluster.rendezvous_nodes or ()) == boot
    assert len(cluster.trusted_mail_servers or ()) == mail
    assert len(cluster.push_notifications_servers or ()) == mail
    assert len(cluster.static_nodes or ()) == 2


def test_an_unknown_fleet_is_refused() -> None:
    (problem,) = problems_of(fleet="eth.nope")
    assert problem.source == "-fleet"
    assert "eth.prod" in problem.message


def test_the_mailserver_flag_means_whisper() -> None:
    config = config_of(mailserver=True)
    assert config.whisper.enabled
    assert config.whisper.enable_mail_server
    assert config.whisper.mail_server_password == "status-offline-inbox"
    assert not config.waku.enable_mail_server


def test_register_announces_by_what_the_node_is() -> None:
    assert config_of({"RegisterTopics": ["a"]}, register=True).register_topics == ["a", "whisper"]
    assert config_of(register=True, mailserver=True).register_topics == ["whispermail"]


def test_ipc_takes_the_name_of_its_flag_even_if_empty() -> None:
    assert config_of(ipc_file="a").ipc_file == "geth.ipc"
    config = config_of(ipc=True)
    assert config.ipc_enabled
    assert config.ipc_file == ""


def test_whisper_and_discovery_together_require_topics() -> None:
    config = config_of({"RequireTopics": {"a": {"Min": 1}}}, fleet="eth.prod", mailserver=True)
    assert list(config.require_topics or ()) == ["a", "whisper"]


def test_a_negative_network_wraps_as_in_go() -> None:
    assert config_of(network_id=-5).network_id == 2**64 - 5


@pytest.mark.parametrize(
    ("document", "path", "message"),
    [
        ({"MaxPeers": 1.0}, "MaxPeers", "want an integer, got a fraction"),
        ({"MaxPeers": True}, "MaxPeers", "want an integer, got a boolean"),
        ({"MaxPeers": 2**63}, "MaxPeers", "want an integer in the range of its type"),
        ({"WakuConfig": {"MaxMessageSize": -1}}, "WakuConfig.MaxMessageSize", "range"),
        ({"WakuConfig": {"MinimumPoW": "1"}}, "WakuConfig.MinimumPoW", "want a number"),
        ({"WakuConfig": [1]}, "WakuConfig", "want an object, got an array"),
        ({"HTTPEnabled": 1}, "HTTPEnabled", "want true or false, got an integer"),
        ({"HTTPHost": {}}, "HTTPHost", "want a string, got an object"),
        ({"ClusterConfig": {"StaticNodes": "a"}}, "ClusterConfig.StaticNodes", "want an array"),
        ({"ClusterConfig": {"BootNodes": ["a", 7]}}, "ClusterConfig.BootNodes[1]", "a string"),
        ({"RequireTopics": {"t": {"Min": "1"}}}, "RequireTopics.t.Min", "want an integer"),
        ({"StatusFleet": {"FleetPeers": 1}}, "StatusFleet.FleetPeers", "want an array"),
        ({"NetworkId": 0}, "NetworkId", "must not be 0"),
        ({"DataDir": ""}, "DataDir", "must not be empty"),
        ({"KeyStoreDir": ""}, "KeyStoreDir", "must not be empty"),
        ({"APIModules": ""}, "APIModules", "must not be empty"),
        ({"Name": "a/b"}, "Name", "must not contain"),
        ({"LogLevel": "info"}, "LogLevel", "ERROR, WARN, INFO, DEBUG, TRACE"),
        ({"NodeKey": "zz"}, "NodeKey", "64 hex digits"),
        ({"NodeKey": "0" * 64}, "NodeKey", "64 hex digits"),
        (
            {"WakuConfig": {"EnableMailServer": True, "DataDir": "/x"}},
            "WakuConfig.DataDir",
            "must start with DataDir",
        ),
        (
            {"WhisperConfig": {"Enabled": True, "DataDir": "/d/waku"}},
            "WakuConfig.DataDir",
            "would share",
        ),
        (
            {"WhisperConfig": {"Enabled": True, "EnableMailServer": True}},
            "WhisperConfig.MailServerPassword",
            "must be set",
        ),
        (
            {
                "WhisperConfig": {
                    "Enabled": True,
                    "EnableMailServer": True,
                    "MailServerAsymKey": "zz",
                }
            },
            "WhisperConfig.MailServerAsymKey",
            "64 hex digits",
        ),
        ({"NoDiscovery": False}, "ClusterConfig.BootNodes", "is empty"),
        ({"Rendezvous": True}, "ClusterConfig.RendezvousNodes", "is empty"),
        ({"UpstreamConfig": {"Enabled": True, "URL": "a"}}, "UpstreamConfig.URL", "absolute URL"),
        (
            {
                "UpstreamConfig": {"Enabled": True, "URL": "http://a.example"},
                "LightEthConfig": {"Enabled": True},
            },
            "UpstreamConfig.Enabled",
            "exclude each other",
        ),
        ({"ShhextConfig": {"PFSEnabled": True}}, "ShhextConfig.InstallationID", "must be set"),
    ],
)
def test_a_bad_value_is_named_by_its_path(document: object, path: str, message: str) -> None:
    (problem,) = problems_of(document)
    assert problem.path == path
    assert message in problem.message
    assert problem.source == "0.json"


def test_every_bad_value_of_a_file_is_named() -> None:
    found = problems_of({"MaxPeers": "a", "HTTPPort": [], "WakuConfig": {"TTL": None}})
    assert [problem.path for problem in found] == ["HTTPPort", "MaxPeers"]


def test_no_message_repeats_a_value() -> None:
    secret = "swordfish"
    documents = (
        {"NodeKey": secret},
        {"NodeKey": [secret]},
        {"WakuConfig": {"MailServerPassword": [secret]}},
        {"WakuConfig": secret},
    )
    for document in documents:
        assert secret not in " ".join(str(problem) for problem in problems_of(document))


def test_the_file_that_is_wrong_is_named() -> None:
    (problem,) = problems_of({"MaxPeers": 1}, {"MaxPeers": "a"})
    assert problem.source == "1.json"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.json: cannot be read"):
        load(Sources(data_dir="/d", files=(tmp_path / "gone.json",)))


def test_unknown_keys_come_with_their_file() -> None:
    loaded = loaded_of({"Nope": 1}, {"wakuconfig": {"Nada": 1}})
    assert [(key.source, key.path) for key in loaded.unknown_keys] == [
        ("0.json", "Nope"),
        ("1.json", "WakuConfig.Nada"),
    ]


def test_what_the_operator_says_is_read() -> None:
    config = config_of({"StatusFleet": {"FleetPeers": ["enode://a"], "MetricsHost": "127.0.0.1"}})
    assert config.status_fleet is not None
    assert config.status_fleet.fleet_peers == ["enode://a"]
    assert config.status_fleet.metrics_host == "127.0.0.1"
    assert config_of().status_fleet is None


def test_a_node_key_is_read() -> None:
    assert config_of({"NodeKey": KEY}).node_key == KEY
