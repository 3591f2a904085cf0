"""Wrong manifests as a user meets them: kubectl's answer names the field and tells the reason."""

from __future__ import annotations

import re

import pytest

from support.cluster import Answer, Cluster
from support.manifest_tables import RIGHT, WRONG, Wrong, manifest

pytestmark = pytest.mark.usefixtures("definition")

# What no schema and no rule of the API server can see; the operator tells it in a condition.
_FOR_THE_OPERATOR = {
    "spec.peers.trustedMailservers[0]",
    "spec.roles.mailserver.members[0].address",
    "spec.roles.relayer.config.BridgeConfig.Enabled",
    "spec.roles.relayer.config.ListenAddr",
    "spec.roles.relayer.config.NodeKey",
    "spec.roles.relayer.config.WakuConfig.MaxMessageSize",
    "spec.roles.relayer.config.WakuConfig.MinimumPoW",
    "spec.roles.relayer.config.wakuConfig",
}
_COMPLAINT = re.compile(
    r"^(?:\* |.* is invalid: )?(?P<field>[\w.<>\[\]]+): (?P<text>.+)$", re.MULTILINE
)


def apply(cluster: Cluster, namespace: str, case: Wrong) -> Answer:
    """Apply a wrong manifest, after the right one that it would change."""
    into = f"--namespace={namespace}"
    if case.before is not None:
        answer = cluster.apply([manifest(case.before, case.name)], into)
        assert answer.code == 0, answer.err
    answer = cluster.apply([manifest(case.spec, case.name)], into)
    cluster.kubectl("delete", "sfleet", case.name, into, "--ignore-not-found")
    return answer


def complaints(answer: Answer) -> dict[str, str]:
    """Return the reason by field."""
    return {found["field"]: found["text"] for found in _COMPLAINT.finditer(answer.err)}


@pytest.mark.parametrize(
    "case", [case for case in WRONG if case.server], ids=lambda case: case.label
)
def test_a_rule_answers_with_the_validator_s_sentence(
    cluster: Cluster, namespace: str, case: Wrong
) -> None:
    answer = apply(cluster, namespace, case)
    assert answer.code
    told = {
        field for field, text in complaints(answer).items() if text.endswith(f": {case.sentence}")
    }
    # The server's path may stop at the list where ours names the entry; at the top it has none.
    assert any(case.path.startswith(field.replace("<nil>", "")) for field in told), answer.err


@pytest.mark.parametrize(
    "case",
    [case for case in WRONG if not case.server and case.path not in _FOR_THE_OPERATOR],
    ids=lambda case: case.label,
)
def test_a_type_or_a_bound_answers_with_the_field(
    cluster: Cluster, namespace: str, case: Wrong
) -> None:
    answer = apply(cluster, namespace, case)
    assert answer.code
    unknown = re.findall(r'unknown field "([^"]+)"', answer.err)
    fields = [*unknown, *complaints(answer)]
    assert any(case.path.startswith(field) for field in fields), answer.err


@pytest.mark.parametrize(
    "case", [case for case in WRONG if case.path in _FOR_THE_OPERATOR], ids=lambda case: case.label
)
def test_what_only_the_operator_can_see_is_taken(
    cluster: Cluster, namespace: str, case: Wrong
) -> None:
    assert not case.server
    answer = apply(cluster, namespace, case)
    assert answer.code == 0, answer.err


@pytest.mark.parametrize("n", range(len(RIGHT)))
def test_a_right_manifest_is_taken_and_applied_again_unchanged(
    cluster: Cluster, namespace: str, n: int
) -> None:
    document, into = manifest(RIGHT[n], f"right-{n}"), f"--namespace={namespace}"
    versions = []
    for _ in range(2):
        answer = cluster.apply([document], into)
        assert answer.code == 0, answer.err
        versions.append(cluster.get("sfleet", f"right-{n}", into)["metadata"]["resourceVersion"])
    assert versions[0] == versions[1]
