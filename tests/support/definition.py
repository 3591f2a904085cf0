"""The definition of StatusFleet, installed on whatever server a kubeconfig leads to."""

from __future__ import annotations

import subprocess
from pathlib import Path

CRD = Path(__file__).parents[2] / "crds/statusfleets.statusfleet.io.yaml"


def define(kubectl: str, kubeconfig: str) -> str:
    """Install the definition and wait until it is served; return what kubectl said of it.

    Fields may belong to whoever installed another version of it before: they are taken.
    """
    forced = ("apply", "--server-side", "--force-conflicts", f"--filename={CRD}")
    said = _run(kubectl, kubeconfig, *forced)
    _run(kubectl, kubeconfig, "wait", "--for=condition=Established", f"--filename={CRD}")
    return said


def _run(kubectl: str, kubeconfig: str, *arguments: str) -> str:
    command = [kubectl, f"--kubeconfig={kubeconfig}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr
