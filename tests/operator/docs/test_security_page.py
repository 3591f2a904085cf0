"""The security page names every right that the chart makes, and no other."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from support import kube_api
from support.documentation import ROOT, Document

PAGE = Document(ROOT / "docs/security.md")
HELM = kube_api.program("helm") or shutil.which("helm")
ROW = re.compile(r"\| `([a-z./0-9]+)` \| ([a-z, ]+) \| (.+) \|")
Right = tuple[str, str]
"""A resource, as the page writes it, and a verb."""


def tables(heading: str) -> list[set[Right]]:
    """The tables of rights below a heading, one set each."""
    text = PAGE.text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    parts = re.split(r"\n\| resource \| verbs \| why \|\n", text)[1:]
    return [
        {(m[1], verb) for m in ROW.finditer(part) for verb in m[2].split(", ")} for part in parts
    ]


def rights(role: dict[str, Any]) -> set[Right]:
    """The rights of a Role or ClusterRole."""
    return {
        (_written(resource, group), verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def _written(resource: str, group: str) -> str:
    name, slash, part = resource.partition("/")
    return f"{name}{'.' if group else ''}{group}{slash}{part}"


@pytest.fixture(scope="module")
def roles() -> dict[str, dict[str, Any]]:
    """The roles that the chart makes of its own values, by name."""
    return rendered()


def rendered(*values: str) -> dict[str, dict[str, Any]]:
    """The roles that the chart makes, by name; `values` are set besides its own."""
    if HELM is None:
        pytest.skip("needs helm")
    command = [HELM, "template", "statusfleet", str(ROOT / "charts/statusfleet")]
    given = [word for value in values for word in ("--set", value)]
    text = subprocess.check_output(
        [*command, "--namespace", "system", "--kube-version", "1.34.0", *given], text=True
    )
    found = [body for body in yaml.safe_load_all(text) if body]
    return {
        body["metadata"]["name"]: body for body in found if body["kind"] in {"ClusterRole", "Role"}
    }


def test_the_rights_of_the_operator_are_those_of_the_page(roles: dict[str, dict[str, Any]]) -> None:
    operator, dialing, nodes, leader = tables("Rights of the operator")
    assert rights(roles["system-statusfleet"]) == operator | nodes
    assert rights(roles["statusfleet-leader"]) == leader
    more = rendered("operator.dialLoadBalancersFrom=MemberNode")
    assert rights(more["system-statusfleet"]) == operator | nodes | dialing


def test_so_are_all_others(roles: dict[str, dict[str, Any]]) -> None:
    people, uninstall, test = tables("Other rights that the chart makes")
    named = {
        "system-statusfleet",
        "statusfleet-leader",
        "system-statusfleet-edit",
        "system-statusfleet-view",
        "system-statusfleet-uninstall",
        "statusfleet-uninstall-leader",
        "statusfleet-test",
    }
    assert roles.keys() == named
    edit, view = roles["system-statusfleet-edit"], roles["system-statusfleet-view"]
    assert rights(edit) | rights(view) == people
    hook = rights(roles["system-statusfleet-uninstall"])
    assert hook | rights(roles["statusfleet-uninstall-leader"]) == uninstall
    assert rights(roles["statusfleet-test"]) == test


def test_rules_for_one_object_alone_are_told_so(roles: dict[str, dict[str, Any]]) -> None:
    for role in roles.values():
        for rule in role["rules"]:
            for name in rule.get("resourceNames", ()):
                resource = _written(rule["resources"][0], rule["apiGroups"][0])
                rows = [match for match in ROW.finditer(PAGE.text) if match[1] == resource]
                assert any(f"`{name}`" in row[3] and "alone" in row[3] for row in rows), rule
