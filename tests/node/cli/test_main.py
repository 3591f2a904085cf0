"""The command `statusd` as its caller sees it: exit codes, output, sentences."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from statusnode.cli.main import run


def written(path: Path, document: object) -> str:
    path.write_text(json.dumps(document))
    return str(path)


def test_version_prints_the_effective_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "a.json", {"MaxPeers": 7, "StatusFleet": {"Canary": "c"}})
    assert run(["-version", "-fleet", "", "-dir", "/d", "-c", file]) == 0
    head, _, text = capsys.readouterr().out.partition("Loaded Config:  ")
    assert head.startswith("Statusd\nVersion: ")
    assert "\nNetwork ID: 3\n" in head
    document = json.loads(text)
    assert document["MaxPeers"] == 7
    assert document["KeyStoreDir"] == "/d/keystore"
    assert document["StatusFleet"]["Canary"] == "c"


def test_a_reader_of_the_version_may_leave_early() -> None:
    before = signal.getsignal(signal.SIGPIPE)
    source, sink = os.pipe()
    os.close(source)
    command = [sys.executable, "-m", "statusnode.cli.main", "-version", "-fleet", "", "-dir", "/d"]
    with os.fdopen(sink, "wb") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    # Nothing of a process that it runs in is changed for good.
    assert run(["-version", "-fleet", "", "-dir", "/d"]) == 0
    assert signal.getsignal(signal.SIGPIPE) == before


def test_version_prints_what_no_node_of_this_version_can_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["-version", "-mailserver", "-register", "-pprof"]) == 0
    document = json.loads(capsys.readouterr().out.partition("Loaded Config:  ")[2])
    assert document["WhisperConfig"]["EnableMailServer"] is True
    assert "StatusFleet" not in document


@pytest.mark.parametrize("arguments", [["-foo"], ["-h"], ["-c", "/nope"], ["-network-id=x"]])
def test_wrong_flags_exit_2_with_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert "Usage: statusd" in capsys.readouterr().err


def test_extra_arguments_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-version", "extra"]) == 1
    assert "extra" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"MaxPeers": "a"}, "a.json: MaxPeers: want an integer, got a string"),
        ({"WhisperConfig": {"Enabled": True}}, "WhisperConfig.Enabled: this version speaks Waku"),
        (
            {"NoDiscovery": False, "ClusterConfig": {"Enabled": True, "BootNodes": ["x"]}},
            "NoDiscovery: this version has no discovery",
        ),
    ],
)
def test_a_wrong_configuration_exits_1_with_the_path(
    document: object, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "a.json", document)
    assert run(["-fleet", "", "-dir", str(tmp_path), "-c", file]) == 1
    assert sentence in capsys.readouterr().err


def test_a_default_start_says_why_it_cannot_join_the_production_fleet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-dir", str(tmp_path)]) == 1
    errors = capsys.readouterr().err
    assert "NoDiscovery: this version has no discovery" in errors
    assert "Rendezvous: " in errors
    assert '-fleet ""' in errors


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        ("-mailserver", "WakuConfig.EnableMailServer"),
        ("-register", "no discovery"),
        ("-pprof", "Go"),
        ("-sync-and-exit=0", "Ethereum"),
    ],
)
def test_a_flag_for_what_is_not_there_exits_1(
    flag: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([flag, "-fleet", "", "-dir", str(tmp_path)]) == 1
    errors = capsys.readouterr().err
    assert f"statusd: {flag.partition('=')[0]}: " in errors
    assert sentence in errors


def test_an_unknown_log_level_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-version", "-fleet", "", "-log", "loud"]) == 1
    assert "unknown log level 'loud'" in capsys.readouterr().err
