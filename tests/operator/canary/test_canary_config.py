"""What a canary is told, which members a run goes through, and what it reports."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from statusfleet.canary.config import CanaryConfig, CanaryConfigError, Target, load
from statusfleet.canary.rotation import route
from statusfleet.canary.verdict import Leg, LegKind, Verdict
from statusnode.crypto.keys import PrivateKey

KEY = "11" * 32
ENODE = f"enode://{PrivateKey(b'2' * 32).public_key.data.hex()}@127.0.0.1:30303"


def document(**changes: Any) -> dict[str, Any]:
    return {
        "nodeKey": KEY,
        "relayers": [{"name": f"relayer-{n}", "enode": ENODE} for n in range(2)],
        "mailservers": [{"name": "mailserver-0", "enode": ENODE}],
        "intervalSeconds": 5.0,
        "timeoutSeconds": 10.0,
        "mailPassword": "hush",
        **changes,
    }


def config(relayers: int, mailservers: int) -> CanaryConfig:
    return CanaryConfig(
        node_key=KEY,  # type: ignore[arg-type]
        relayers=tuple(Target(name=f"relayer-{n}", enode=ENODE) for n in range(relayers)),
        mailservers=tuple(Target(name=f"mailserver-{n}", enode=ENODE) for n in range(mailservers)),
        interval_seconds=5.0,
        timeout_seconds=10.0,
        mail_password="hush",  # type: ignore[arg-type]
    )


def test_a_configuration_is_read_and_its_secrets_never_show(tmp_path: Path) -> None:
    path = tmp_path / "canary.json"
    path.write_text(json.dumps(document()))
    found = load(path)
    assert found.key.data.hex() == KEY
    assert [target.name for target in found.relayers] == ["relayer-0", "relayer-1"]
    assert KEY not in repr(found)
    assert "hush" not in repr(found)


def test_the_key_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    path, key = tmp_path / "canary.json", tmp_path / "nodekey"
    named = {k: v for k, v in document(nodeKeyFile=str(key)).items() if k != "nodeKey"}
    path.write_text(json.dumps(named))
    for content, told in (None, "nodekey: No such file"), ("secret-and-wrong", "canary.json: "):
        if content is not None:
            key.write_text(content)
        with pytest.raises(CanaryConfigError, match=told) as caught:
            load(path)
        assert "secret-and-wrong" not in str(caught.value)
    key.write_text(KEY + "\n")
    assert load(path).key.data.hex() == KEY


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"nodeKey": "secret-and-wrong"}, "nodeKey"),
        ({"nodeKeyFile": "/etc/canary/nodekey"}, "either nodeKey or nodeKeyFile"),
        ({"nodeKey": None}, "either nodeKey or nodeKeyFile"),
        ({"relayers": [{"name": "r", "enode": "enode://nonsense"}]}, "relayers.0.enode"),
        ({"intervalSeconds": 0}, "intervalSeconds"),
        ({"timeoutSeconds": "soon"}, "timeoutSeconds"),
        ({"unheardOf": 1}, "unheardOf"),
    ],
)
def test_a_wrong_field_is_named_and_its_value_is_not(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    path = tmp_path / "canary.json"
    path.write_text(json.dumps(document(**changes)))
    with pytest.raises(CanaryConfigError, match=told) as caught:
        load(path)
    assert "secret-and-wrong" not in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_file_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(CanaryConfigError, match="No such file"):
        load(tmp_path / "none.json")


@pytest.mark.parametrize("relayers", [2, 3, 5])
def test_every_relayer_gives_to_every_other_in_turn(relayers: int) -> None:
    runs = relayers * (relayers - 1)
    routes = [route(config(relayers, 1), run) for run in range(runs)]
    pairs = {(chosen.post.name, chosen.receive.name) for chosen in routes if chosen}
    names = [f"relayer-{n}" for n in range(relayers)]
    assert pairs == set(itertools.permutations(names, 2))


def test_every_mailserver_is_asked_in_every_run() -> None:
    for run in range(6):
        chosen = route(config(2, 3), run)
        assert chosen is not None
        assert [target.name for target in chosen.mailservers] == [
            "mailserver-0",
            "mailserver-1",
            "mailserver-2",
        ]


def test_a_lone_relayer_echoes_and_mailservers_stand_in_for_relayers() -> None:
    lone = route(config(1, 1), 3)
    assert lone is not None
    assert lone.echoes
    stand_ins = route(config(0, 2), 0)
    assert stand_ins is not None
    assert (stand_ins.post.name, stand_ins.receive.name) == ("mailserver-0", "mailserver-1")
    assert route(config(0, 0), 0) is None


def test_a_verdict_names_the_legs_and_members_that_failed() -> None:
    legs = (
        Leg(LegKind.POST, "relayer-0", 1.0),
        Leg(LegKind.RECEIVE, "relayer-1", 12.5),
        Leg(LegKind.FETCH, "mailserver-0", None, "the mailserver says: rate limit exceeded"),
    )
    verdict = Verdict(4, 1_700_000_000.1234, legs)
    written = json.loads(verdict.to_json())
    assert written["passed"] is False
    assert written["latencyMs"] == 12.5
    assert written["finishedAt"] == 1_700_000_000.123
    assert written["failures"] == [
        "fetching from mailserver-0: the mailserver says: rate limit exceeded"
    ]
    assert written["legs"][2]["member"] == "mailserver-0"
    assert "\n" not in verdict.to_json()


def test_a_run_without_any_leg_proves_nothing() -> None:
    assert not Verdict(0, 0.0, ()).passed
