"""Where a cluster is looked for: as kubectl does, and as a pod."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from statusfleet.kube import KubeConfigError, connection, load_connection


def kubeconfig(path: Path, server: str, **context: str) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "secret-token"}}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u"} | context},
            {"name": "two", "context": {"cluster": "c", "user": "u", "namespace": "second"}},
        ],
    }
    path.write_text(json.dumps(document))
    return str(path)


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


async def test_a_named_kubeconfig_is_read(tmp_path: Path) -> None:
    found = await load_connection(kubeconfig(tmp_path / "a", "https://a:1"))
    assert (found.configuration.host, found.namespace, found.context) == (
        "https://a:1",
        "default",
        "one",
    )


async def test_a_context_brings_its_namespace(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "a", "https://a:1", namespace="first")
    assert (await load_connection(path)).namespace == "first"
    found = await load_connection(path, "two")
    assert (found.namespace, found.context) == ("second", "two")


async def test_the_variable_is_asked_before_the_pod_and_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".kube").mkdir()
    kubeconfig(tmp_path / ".kube" / "config", "https://home:1")
    assert (await load_connection()).configuration.host == "https://home:1"
    enter_pod(tmp_path, monkeypatch)
    assert (await load_connection()).configuration.host == "https://10.96.0.1:443"
    monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path / "b", "https://variable:1"))
    assert (await load_connection()).configuration.host == "https://variable:1"


async def test_a_pod_has_its_own_namespace_and_no_context(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter_pod(tmp_path, monkeypatch)
    found = await load_connection()
    assert (found.namespace, found.context) == ("statusfleet-system", "")


def enter_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = tmp_path / "account"
    account.mkdir()
    for name, text in (
        ("token", "pod-token"),
        ("ca.crt", "none"),
        ("namespace", "statusfleet-system"),
    ):
        (account / name).write_text(text)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(connection, "_ACCOUNT", account)
    for name, file in (("SERVICE_TOKEN_FILENAME", "token"), ("SERVICE_CERT_FILENAME", "ca.crt")):
        monkeypatch.setattr(connection.incluster_config, name, str(account / file))


@pytest.mark.parametrize("content", [None, "", "{", "kind: Config", "[]"])
async def test_what_cannot_be_used_is_told_with_its_path(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "broken"
    if content is not None:
        path.write_text(content)
    with pytest.raises(KubeConfigError, match="broken cannot be used"):
        await load_connection(str(path))


async def test_a_file_that_is_not_there_is_told_once_and_passed_over_beside_another(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone = str(tmp_path / "gone")
    with pytest.raises(KubeConfigError, match="gone cannot be used: there is no such file"):
        await load_connection(gone)
    there = kubeconfig(tmp_path / "a", "https://a:1")
    assert (await load_connection(f"{gone}:{there}")).configuration.host == "https://a:1"
    assert caplog.messages == []


async def test_an_unknown_context_is_told(tmp_path: Path) -> None:
    with pytest.raises(KubeConfigError, match="three"):
        await load_connection(kubeconfig(tmp_path / "a", "https://a:1"), "three")


async def test_without_any_cluster_there_is_a_word_about_it() -> None:
    with pytest.raises(KubeConfigError, match=r"\.kube/config cannot be used"):
        await load_connection()
