"""The chart, as helm renders it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from support import kube_api

CHART = Path(__file__).parents[2] / "charts/statusfleet"
HELM = kube_api.program("helm")
needs_helm = pytest.mark.skipif(HELM is None, reason="needs helm")
_SERVER = "v1.34.0"  # a Helm that was built without a release's flags takes it for v1.20

Body = dict[str, Any]


def helm(*arguments: str, values: Body | None = None) -> subprocess.CompletedProcess[str]:
    """Run helm with these values, and return whatever it says."""
    command = [str(HELM), *arguments, "--values", "-"]
    if arguments[0] in {"lint", "template"} and "--kube-version" not in arguments:
        command += ["--kube-version", _SERVER]
    return subprocess.run(
        command, input=json.dumps(values or {}), capture_output=True, text=True, check=False
    )


def rendered(values: Body | None = None, *, namespace: str = "system") -> list[Body]:
    """Return every object that the chart makes of these values, hooks too."""
    found = helm("template", "statusfleet", str(CHART), "--namespace", namespace, values=values)
    assert found.returncode == 0, found.stderr
    return [body for body in yaml.safe_load_all(found.stdout) if body]


def of_kind(bodies: list[Body], kind: str) -> list[Body]:
    """Return the objects of a kind that are no hooks."""
    return [
        body
        for body in bodies
        if body["kind"] == kind and "helm.sh/hook" not in body["metadata"].get("annotations", {})
    ]
