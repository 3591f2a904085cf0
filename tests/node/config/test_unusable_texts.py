"""Texts that JSON can hold and no system call takes are refused by their key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from statusnode.config.load import Sources, load
from statusnode.config.unsupported import unsupported

NUL = "a\0b"


@pytest.mark.parametrize(
    ("path", "settings"),
    [
        ("DataDir", {"DataDir": NUL}),
        ("KeyStoreDir", {"KeyStoreDir": NUL}),
        ("ListenAddr", {"ListenAddr": NUL}),
        ("LogFile", {"LogFile": NUL}),
        ("IPCFile", {"IPCFile": NUL}),
        ("HTTPHost", {"HTTPHost": NUL}),
        ("WakuConfig.DataDir", {"WakuConfig": {"DataDir": NUL}}),
        ("StatusFleet.MetricsHost", {"StatusFleet": {"MetricsHost": NUL}}),
        ("StatusFleet.NodeKeyFile", {"StatusFleet": {"NodeKeyFile": NUL}}),
    ],
)
def test_a_path_or_address_with_a_nul_is_named(
    path: str, settings: dict[str, object], tmp_path: Path
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(settings))
    found = load(Sources(data_dir=str(tmp_path), fleet="", files=(file,)))
    assert [problem.path for problem in unsupported(found.config)] == [path]
