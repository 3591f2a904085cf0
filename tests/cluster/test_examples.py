"""Every example is taken by a real API server as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from support.cluster import ROOT, Cluster

EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


@pytest.mark.usefixtures("definition")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_applies(cluster: Cluster, namespace: str, example: Path) -> None:
    # One that names its namespace brings it along, or means one that is there.
    documents = list(yaml.safe_load_all(example.read_text()))
    named = any(document["metadata"].get("namespace") for document in documents)
    into = [] if named else [f"--namespace={namespace}"]
    answer = cluster.ask("apply", "--dry-run=server", f"--filename={example}", *into)
    assert answer.code == 0, answer.err
    assert answer.out.count("(server dry run)") == len(documents)
