"""Every object of a small fleet, held to a file that people read.

`UPDATE_GOLDEN=1 pytest …` writes it anew; what then changes in it is what every fleet would get.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from statusfleet.api.spec import Image
from statusfleet.plan import MemberId, make_plan
from statusfleet.worlds.kubernetes.canary import canary_objects
from statusfleet.worlds.kubernetes.claim import claim, drops_claim
from statusfleet.worlds.kubernetes.configmap import config_map
from statusfleet.worlds.kubernetes.names import Owner
from statusfleet.worlds.kubernetes.networkpolicy import member_policy
from statusfleet.worlds.kubernetes.pin import choose_pin, role_of
from statusfleet.worlds.kubernetes.pod import pod_shape
from statusfleet.worlds.kubernetes.poddisruptionbudget import pod_disruption_budget
from statusfleet.worlds.kubernetes.secret import member_secret
from statusfleet.worlds.kubernetes.seeing import seat
from statusfleet.worlds.kubernetes.service import service
from statusfleet.worlds.kubernetes.serviceaccount import service_account
from statusfleet.worlds.kubernetes.statefulset import stateful_set
from support.fleet_observations import fleet, key_of, observe

GOLDEN = Path(__file__).parent / "golden" / "mailserver.yaml"
OWNER = Owner("status", "eth-dev", "11111111-2222-3333-4444-555555555555")
MAIL = MemberId("mailserver", 0)
IMAGE = "registry.example/statusfleet:1.0"
TEMPLATE = {
    "labels": {"team": "relay", "statusfleet.io/role": "mine"},
    "annotations": {"note": "x", "statusfleet.io/restart-hash": "mine"},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "relay", "operator": "Exists", "effect": "NoSchedule"}],
    "securityContext": {"runAsUser": 1000},
    "containerSecurityContext": {"capabilities": {"add": ["NET_BIND_SERVICE"]}},
    "priorityClassName": "high",
}


def objects(**mailserver: Any) -> dict[str, dict[str, Any]]:
    wanted = fleet({"roles": {"relayer": {"replicas": 2}, "mailserver": mailserver}})
    role = role_of(wanted, MAIL)
    choice = choose_pin(wanted, MAIL, "", IMAGE)
    seen = observe(wanted)
    at = {**seen.members, MAIL.name: replace(seen.members[MAIL.name], seat=seat(choice))}
    plan = make_plan(wanted, replace(seen, members=at))
    member = plan.member("mailserver-0")
    assert member is not None
    assert role.storage is not None
    made = [
        service_account(OWNER),
        member_policy(OWNER),
        pod_disruption_budget(OWNER, "mailserver"),
        service(OWNER, MAIL, role.expose),
        claim(OWNER, MAIL, role.storage),
        config_map(OWNER, member),
        member_secret(OWNER, member),
        stateful_set(
            OWNER,
            MAIL,
            replace(choice.pin, startup=member.startup),
            member.restart_hash,
            has_claim=True,
            adopted=role.override(0).node_key_secret,
        ),
        *canary_objects(OWNER, {"nodeKey": "…"}, Image(), IMAGE)[2:],
    ]
    return {f"{body['kind']} {body['metadata']['name']}": body for body in made}


def test_the_objects_of_a_mailserver_are_those_of_the_file() -> None:
    text = yaml.safe_dump_all(objects().values(), sort_keys=False, width=100)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text)
    assert list(yaml.safe_load_all(GOLDEN.read_text())) == list(yaml.safe_load_all(text))


def test_no_key_and_no_password_stands_outside_of_secrets() -> None:
    made = objects()
    secret = made["Secret eth-dev-mailserver-0-config"]
    content = base64.b64decode(secret["data"]["secret.json"]).decode()
    assert "status-offline-inbox" in content
    for body in made.values():
        if body["kind"] != "Secret":
            assert "status-offline-inbox" not in str(body)


def test_a_key_is_mounted_from_its_own_secret_and_repeated_in_no_other() -> None:
    def mounted(made: dict[str, dict[str, Any]]) -> dict[str, Any]:
        for body in made.values():
            texts = (
                [base64.b64decode(value).decode() for value in body.get("data", {}).values()]
                if body["kind"] == "Secret"
                else [str(body)]
            )
            assert not any(key_of("mailserver-0").data.hex() in text for text in texts)
        config = json.loads(made["ConfigMap eth-dev-mailserver-0"]["data"]["config.json"])
        assert config["StatusFleet"]["NodeKeyFile"] == "/etc/statusd/nodekey"
        pod = made["StatefulSet eth-dev-mailserver-0"]["spec"]["template"]["spec"]
        settings = next(v for v in pod["volumes"] if v["name"] == "settings")
        secret: dict[str, Any] = settings["projected"]["sources"][-1]["secret"]
        return secret

    own = {"name": "eth-dev-mailserver-0", "items": [{"key": "nodekey", "path": "nodekey"}]}
    assert mounted(objects()) == own
    given = {"ordinal": 0, "nodeKeySecret": {"name": "old", "key": "id"}}
    assert mounted(objects(members=[given])) == {
        "name": "old",
        "items": [{"key": "id", "path": "nodekey"}],
    }


def test_a_users_template_is_merged_and_what_the_fleet_needs_wins() -> None:
    template = objects(template=TEMPLATE)["StatefulSet eth-dev-mailserver-0"]["spec"]["template"]
    assert template["metadata"]["labels"]["team"] == "relay"
    assert template["metadata"]["labels"]["statusfleet.io/role"] == "mailserver"
    assert template["metadata"]["annotations"]["note"] == "x"
    assert template["metadata"]["annotations"]["statusfleet.io/restart-hash"] != "mine"
    spec = template["spec"]
    assert spec["nodeSelector"] == {"disk": "fast"}
    assert spec["tolerations"] == [{"key": "relay", "operator": "Exists", "effect": "NoSchedule"}]
    assert spec["securityContext"]["runAsUser"] == 1000
    assert spec["securityContext"]["runAsNonRoot"] is True
    context = spec["containers"][0]["securityContext"]
    assert context["capabilities"] == {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}
    assert spec["priorityClassName"] == "high"


def test_pods_meet_the_restricted_standard() -> None:
    made = objects()
    for name in ("StatefulSet eth-dev-mailserver-0", "Deployment eth-dev-canary"):
        spec = made[name]["spec"]["template"]["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }


def test_a_default_never_contradicts_what_the_user_says_of_a_resource() -> None:
    wanted = fleet({"roles": {"relayer": {"resources": {"requests": {"memory": "4Gi"}}}}})
    shape = pod_shape("eth-dev", role_of(wanted, MemberId("relayer", 0)), Image(), IMAGE)
    resources = shape["spec"]["containers"][0]["resources"]
    assert resources == {"requests": {"cpu": "100m", "memory": "4Gi"}, "limits": {}}


def test_what_may_outlive_the_fleet_has_no_owner() -> None:
    kept = objects()["PersistentVolumeClaim eth-dev-mailserver-0"]
    assert "ownerReferences" not in kept["metadata"]
    policy = {"whenDeleted": "Delete"}
    gone = objects(storage={"retentionPolicy": policy})[
        "PersistentVolumeClaim eth-dev-mailserver-0"
    ]
    assert gone["metadata"]["ownerReferences"][0]["uid"] == OWNER.uid


@pytest.mark.parametrize(
    ("policy", "ordinal", "drops"),
    [
        ("Delete", 2, True),
        ("Retain", 2, False),
        ("Delete", 1, False),  # only disabled
        ("Delete", 0, False),  # the fleet itself is deleted
    ],
)
def test_mail_goes_only_with_a_member_that_was_scaled_in(
    policy: str, ordinal: int, drops: bool
) -> None:
    mailserver = {
        "replicas": 2,
        "members": [{"ordinal": 1, "disabled": True}],
        "storage": {"retentionPolicy": {"whenScaled": policy}},
    }
    roles = fleet({"roles": {"mailserver": mailserver}}).spec.roles
    assert drops_claim(roles, MemberId("mailserver", ordinal)) is drops
    assert not drops_claim(roles, MemberId("relayer", 7))


def test_each_way_of_exposure_has_its_service() -> None:
    own = {"ordinal": 0, "address": {"ip": "8.8.4.4", "tcp": 443}}

    def made(**expose: Any) -> dict[str, Any]:
        return objects(expose=expose, members=[own])["Service eth-dev-mailserver-0"]["spec"]

    assert made(type="NodePort")["type"] == "NodePort"
    assert made(type="NodePort")["externalTrafficPolicy"] == "Local"
    balancer = made(type="LoadBalancer", port=443)
    assert [(p["protocol"], p["port"], p["targetPort"]) for p in balancer["ports"]] == [
        ("TCP", 443, 30303),
        ("UDP", 443, 30303),
    ]
    for kind in ("ClusterIP", "HostPort", "Static"):
        assert made(type=kind)["type"] == "ClusterIP"
        assert "externalTrafficPolicy" not in made(type=kind)
    shape = objects(expose={"type": "HostPort", "port": 443})
    ports = shape["StatefulSet eth-dev-mailserver-0"]["spec"]["template"]["spec"]["containers"][0]
    assert [p.get("hostPort") for p in ports["ports"]] == [443, 443, None]
