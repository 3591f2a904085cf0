"""Definitions of kinds, installed on whatever server a kubeconfig leads to."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

CRD = Path(__file__).parents[2] / "crds/statusfleets.statusfleet.io.yaml"


def define(kubectl: str, kubeconfig: str, file: Path = CRD) -> str:
    """Install the definitions of a file and wait until they are served.

    Returns what kubectl said of them. Fields may belong to whoever installed another version of one
    before: they are taken.
    """
    forced = ("apply", "--server-side", "--force-conflicts", f"--filename={file}")
    done = _run(kubectl, kubeconfig, *forced)
    assert done.returncode == 0, done.stderr
    established = ("wait", "--for=condition=Established", f"--filename={file}")
    # Of a definition that is so new that it has no conditions, kubectl complains and does not wait.
    while (waited := _run(kubectl, kubeconfig, *established)).returncode:
        assert "accessor error" in waited.stderr, waited.stderr
        time.sleep(0.1)
    return done.stdout + done.stderr


def _run(kubectl: str, kubeconfig: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [kubectl, f"--kubeconfig={kubeconfig}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
