"""Commands that start nothing: what they refuse, with which sentence and which exit code."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from statusfleet.cli.kubectl.main import app as kubectl_statusfleet
from statusfleet.cli.main import app

MANIFEST = """
apiVersion: statusfleet.io/v1alpha1
kind: StatusFleet
metadata: {name: little}
spec:
  roles:
    relayer: {replicas: 2}
  tree: {domain: nodes.little.test}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "fleet.yaml"
    path.write_text(MANIFEST)
    return path


def statusfleet(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def json_lines(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_command_explains_itself() -> None:
    for command in ("up", "status", "logs", "diff", "validate", "crd", "tree"):
        assert statusfleet(command, "--help").exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("up",),
        ("up", "no-such-file.yaml"),
        ("up", "fleet.yaml", "--output", "xml"),
        ("up", "fleet.yaml", "--dns-port", "70000"),
        ("up", "fleet.yaml", "--timeout", "0"),
        ("diff", "no-such-file.yaml"),
        ("no-such-command",),
    ],
)
def test_wrong_usage_exits_with_2(file: Path, arguments: tuple[str, ...]) -> None:
    assert statusfleet(*arguments).exit_code == 2


@pytest.mark.parametrize(
    "command", ["status", "tree", "logs", "nodes", "canary", "restart", "pause", "resume", "report"]
)
def test_a_variable_without_a_value_is_no_name_of_a_fleet(command: str) -> None:
    result = CliRunner().invoke(kubectl_statusfleet, [command, ""])
    assert result.exit_code == 2
    assert "is empty" in result.stderr


def test_an_invalid_manifest_starts_nothing_and_names_every_field(file: Path) -> None:
    file.write_text(MANIFEST.replace("replicas: 2", "replicas: -2, colour: blue"))
    result = statusfleet("up", file, "--output", "json")
    assert result.exit_code == 1
    paths = {event["path"] for event in json_lines(result) if event["event"] == "error"}
    assert paths == {"spec.roles.relayer.replicas", "spec.roles.relayer.colour"}
    last = json_lines(result)[-1]
    assert last["event"] == "summary"
    assert "spec.roles.relayer.replicas: must be at least 0, not -2" in last["missing"]  # type: ignore[operator]
    assert not (file.parent / ".statusfleet").exists()


def test_a_secret_that_is_not_in_the_file_is_missed_by_its_field(file: Path) -> None:
    key = "signingKey: {secretKeyRef: {name: tree, key: hex}}"
    file.write_text(MANIFEST.replace("nodes.little.test", f"nodes.little.test, {key}"))
    result = statusfleet("up", file, "--output", "json")
    assert result.exit_code == 1
    event, _ = json_lines(result)
    assert event["path"] == "spec.tree.signingKey.secretKeyRef"


def test_a_folder_in_use_is_refused_with_3(file: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with (data / "lock").open("w") as lock:
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = statusfleet("up", file, "--data", data)
    assert result.exit_code == 3
    assert f"is in use by process {os.getpid()}" in result.stdout


def test_a_folder_of_a_newer_version_is_refused(file: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "state.json").write_text('{"layout": 99}')
    result = statusfleet("up", file, "--data", data)
    assert result.exit_code == 1
    assert "layout 99 of a newer statusfleet" in result.stdout


def test_a_folder_that_cannot_be_made_is_refused(file: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("a file, not a folder")
    result = statusfleet("up", file, "--data", tmp_path / "plain" / "data")
    assert result.exit_code == 1
    assert "cannot be made" in result.stdout


def test_looking_where_no_fleet_is_says_so(file: Path, tmp_path: Path) -> None:
    for arguments in (("status",), ("logs", "relayer-0")):
        result = statusfleet(*arguments)
        assert result.exit_code == 1
        assert "there is no fleet in" in result.stderr
    result = statusfleet("status", "--data", tmp_path)
    assert result.exit_code == 1
    assert "no fleet runs in" in result.stderr


def test_a_log_that_is_not_there_is_told_of(file: Path, tmp_path: Path) -> None:
    for member in ("relayer-7", "canary", "../../etc"):
        result = statusfleet("logs", member, "--data", tmp_path)
        assert result.exit_code == 1
        assert result.stderr.startswith("error: ")


def test_the_only_fleet_in_the_working_folder_is_meant(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / ".statusfleet" / "little" / "members" / "relayer-0"
    folder.mkdir(parents=True)
    (folder.parents[1] / "lock").touch()
    (folder / "statusd.log").write_text("t=… lvl=info\n")
    assert statusfleet("logs", "relayer-0").stdout == "t=… lvl=info\n"
    (tmp_path / ".statusfleet" / "other").mkdir()
    (tmp_path / ".statusfleet" / "other" / "lock").touch()
    result = statusfleet("logs", "relayer-0")
    assert result.exit_code == 1
    assert "several fleets" in result.stderr


def test_diff_of_a_new_folder_starts_everything_and_makes_nothing(file: Path) -> None:
    result = statusfleet("diff", file, "--output", "json")
    assert result.exit_code == 0
    found = [(entry["effect"], entry["what"]) for entry in json.loads(result.stdout)]
    assert found == [
        ("start", "relayer-0"),
        ("start", "relayer-1"),
        ("publish", "nodes.little.test"),
    ]
    assert not (file.parent / ".statusfleet").exists()


def test_diff_of_an_invalid_manifest_fails(file: Path) -> None:
    file.write_text("kind: Nonsense")
    result = statusfleet("diff", file)
    assert result.exit_code == 1
    assert "Nonsense" in result.stderr
