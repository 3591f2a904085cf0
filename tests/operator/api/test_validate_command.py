"""`statusfleet validate`: its output and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

from typer import Typer
from typer.testing import CliRunner, Result

from statusfleet.cli.validate import validate
from support.manifest_tables import manifest, relayer

EXAMPLE = Path(__file__).parents[3] / "examples/local.yaml"


def run(*arguments: str | Path) -> Result:
    app = Typer()
    app.command()(validate)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_valid_file_exits_0_and_says_so() -> None:
    result = run(EXAMPLE)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{EXAMPLE}: fleet local is valid\n"


def test_an_invalid_file_exits_1_with_every_problem(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(json.dumps(manifest(relayer(replicas=-1, minPow=-1))))
    result = run(EXAMPLE, wrong)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 2
    assert f"{wrong}:1: spec.roles.relayer.replicas: must be at least 0, not -1" in result.stderr


def test_json_is_a_list_of_file_path_and_message(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(json.dumps(manifest(relayer(replicas=-1))))
    result = run(wrong, EXAMPLE, "--output", "json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == [
        {
            "file": str(wrong),
            "path": "spec.roles.relayer.replicas",
            "message": "must be at least 0, not -1",
        }
    ]


def test_json_of_valid_files_is_an_empty_list() -> None:
    result = run(EXAMPLE, "--output", "json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


def test_wrong_usage_exits_2(tmp_path: Path) -> None:
    assert run().exit_code == 2
    assert run(tmp_path / "missing.yaml").exit_code == 2
    assert run(EXAMPLE, "--output", "xml").exit_code == 2
