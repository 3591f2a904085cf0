"""The canary as a process: how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = (sys.executable, "-m", "statusfleet.canary")
NOBODY = {"nodeKey": "11" * 32, "intervalSeconds": 60.0, "timeoutSeconds": 1.0, "mailPassword": "x"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_good_order_when_told_to(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "canary.json"
    path.write_text(json.dumps(NOBODY))
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, str(path)], stdout=pipe, stderr=pipe, text=True) as canary:
        assert canary.stdout is not None
        assert canary.stderr is not None
        assert "there is no member to ask" in canary.stdout.readline()
        canary.send_signal(number)
        assert canary.stderr.read() == ""
        assert canary.wait() == 0


def test_a_configuration_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "canary.json"
    path.write_text(json.dumps(NOBODY | {"intervalSeconds": 0}))
    done = subprocess.run([*COMMAND, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"canary: {path}: ")
    assert "intervalSeconds" in line
