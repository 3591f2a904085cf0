"""Edits of what belongs to a fleet as a whole: image, canary, rollout, tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import cycle, pairwise
from typing import Any

import dns.exception
import dns.message
import dns.query

from support.dns_servers import KEY_NAME, SECRET, ZONE
from support.field_edits import (
    CLUSTER_IP,
    QUIET,
    Course,
    Edit,
    Surroundings,
    merged,
    nested,
    objects,
    secret,
)
from support.field_edits_of_pods import one
from support.fleet_sight import Json, Sight
from support.manifest_tables import TREE_URL
from support.ports import HOST

_BOTH = ("mailserver-0", "relayer-0")
_NOWHERE = "statusfleet.test/nothing"
_DIGEST = f"sha256:{'5e' * 32}"
_DNS = "Deployment dns"
_CANARY = "Deployment canary"
_SERVED = "ConfigMap dns"


def _of_both(kind: str) -> frozenset[str]:
    return frozenset(f"{kind} {member}" for member in _BOTH)


def _container(sight: Sight, name: str) -> Json:
    found: Json = sight.objects[name]["spec"]["template"]["spec"]["containers"][0]
    return found


# ── the image ──


def _image(around: Surroundings) -> Course:
    """Images that no cluster has: whoever is started anew for one stays away until it is mended."""
    tag = around.image.rpartition(":")[2]
    member = "relayer-0"

    def edit(field: str, value: Any, image: str, policy: str = "Never") -> Edit:
        def shows(sight: Sight) -> bool:
            pod = sight.pods.get(member)
            container = pod["spec"]["containers"][0] if pod is not None else {}
            wanted = (image, policy)
            return (container.get("image"), container.get("imagePullPolicy")) == wanted

        return Edit(
            (f"image.{field}",),
            nested(f"image.{field}", value),
            shows,
            objects(member, "StatefulSet"),
            frozenset({member}),
            # Nobody else waits for it, so it is no rollout that has stopped.
            condition=("Ready", "MembersNotReady"),
            says=member,
        )

    edits = (
        edit("repository", _NOWHERE, f"{_NOWHERE}:{tag}"),
        edit("tag", "1", f"{_NOWHERE}:1"),
        edit("digest", _DIGEST, f"{_NOWHERE}:1@{_DIGEST}"),
        edit("pullPolicy", "IfNotPresent", f"{_NOWHERE}:1@{_DIGEST}", "IfNotPresent"),
        Edit(
            ("image.repository", "image.tag", "image.digest"),
            {"image": {"repository": "", "tag": "", "digest": ""}},
            lambda sight: sight.status.get("ready") == "1/1",
            objects(member, "StatefulSet"),
            frozenset({member}),
        ),
    )
    return Course("image", merged(one("relayer"), {"image": {"pullPolicy": "Never"}}), edits)


# ── canary and names ──


def _canary() -> Course:
    def told(sight: Sight) -> str:
        found = sight.objects.get("Secret canary-config")
        return "" if found is None else str(sight.texts("Secret canary-config")["canary.json"])

    everywhere = _of_both("StatefulSet") | {_DNS, _CANARY}

    def all_pull(sight: Sight) -> bool:
        pods = [sight.objects[name]["spec"]["template"]["spec"] for name in everywhere]
        return all(pod.get("imagePullSecrets") == [{"name": "registry"}] for pod in pods)

    base = {
        "roles": {"relayer": {"expose": CLUSTER_IP}, "mailserver": {"expose": CLUSTER_IP}},
        "tree": {"domain": "nodes.canary.example", "ttl": {"root": "1s"}},
    }
    passed = ("CanaryPassing", "Passed")
    edits = (
        Edit(
            ("canary.enabled",),
            nested("canary.enabled", True),
            lambda sight: _CANARY in sight.objects,
            # Members exempt the canary from limits, so they are told of its key.
            _of_both("ConfigMap")
            | {_CANARY, "NetworkPolicy canary", "Secret canary", "Secret canary-config"},
            condition=passed,
        ),
        Edit(
            ("canary.interval",),
            nested("canary.interval", "3s"),
            lambda sight: '"intervalSeconds": 3.0' in told(sight),
            frozenset({"Secret canary-config"}),
            condition=passed,
        ),
        Edit(
            ("canary.timeout",),
            nested("canary.timeout", "7s"),
            lambda sight: '"timeoutSeconds": 7.0' in told(sight),
            frozenset({"Secret canary-config"}),
            condition=passed,
        ),
        Edit(
            ("image.pullSecrets",),
            nested("image.pullSecrets", ["registry"]),
            all_pull,
            everywhere,
            frozenset(_BOTH),
        ),
        Edit(
            ("fleetName",),
            {"fleetName": "eth.test"},
            lambda sight: all(
                '"Fleet": "eth.test"' in sight.texts(f"ConfigMap {member}")["config.json"]
                for member in _BOTH
            ),
            _of_both("ConfigMap") | _of_both("StatefulSet"),
            frozenset(_BOTH),
        ),
    )
    return Course("canary", merged(base, QUIET), edits)


# ── rollouts ──


def _rollout() -> Course:
    expose = {"expose": CLUSTER_IP}
    base = merged(QUIET, {"roles": {"relayer": {"replicas": 2, **expose}, "mailserver": expose}})

    def noted(*roles: str, note: str) -> dict[str, Any]:
        template = {"template": {"annotations": {"note": note}}}
        return {"roles": dict.fromkeys(roles, template)}

    def follows(sight: Sight, *names: str, seconds: float = 0.0) -> bool:
        """Tell whether each pod was made no sooner than so long after the one before was ready."""
        pods = [sight.pods.get(name) for name in names]
        return all(
            one and other and _made(other) - _ready(one) >= seconds - _ROUNDING
            for one, other in pairwise(pods)
        )

    relayers = ("relayer-0", "relayer-1")
    sets = objects("relayer-0", "StatefulSet") | objects("relayer-1", "StatefulSet")
    edits = (
        Edit(
            ("rollout.order",),
            merged(
                {"rollout": {"order": ["mailserver", "relayer"]}},
                noted("relayer", "mailserver", note="order"),
            ),
            lambda sight: follows(sight, "mailserver-0", *relayers),
            sets | objects("mailserver-0", "StatefulSet"),
            frozenset({*relayers, "mailserver-0"}),
        ),
        Edit(
            ("rollout.soak",),
            merged({"rollout": {"soak": "6s"}}, noted("relayer", note="soak")),
            lambda sight: follows(sight, *relayers, seconds=6),
            sets,
            frozenset(relayers),
        ),
        Edit(
            ("rollout.maxUnavailable",),
            merged(
                {"rollout": {"soak": "10m", "maxUnavailable": 2, "order": ["relayer"]}},
                noted("relayer", note="both"),
            ),
            # Nobody waits ten minutes for the other, as one after another would.
            lambda sight: sight.status.get("ready") == "3/3",
            sets,
            frozenset(relayers),
        ),
    )
    return Course("rollout", base, edits)


_ROUNDING = 1.0  # the API server's times are whole seconds


def _made(pod: Json) -> float:
    return _seconds(pod["metadata"]["creationTimestamp"])


def _ready(pod: Json) -> float:
    for found in pod["status"].get("conditions", ()):
        if found["type"] == "Ready" and found["status"] == "True":
            return _seconds(found["lastTransitionTime"])
    return float("inf")


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


# ── the tree ──


def _ask(sight: Sight, kind: str, name: str = "") -> Any:
    """Ask the fleet's own servers; None while they do not answer."""
    query = dns.message.make_query(name or sight.fleet["spec"]["tree"]["domain"], kind)
    try:
        answer = dns.query.tcp(query, sight.objects["Service dns"]["spec"]["clusterIP"], 2)
    except (OSError, EOFError, dns.exception.Timeout):
        return None
    return answer.answer[0] if answer.answer else None


def _ttl(sight: Sight, label: str = "") -> int:
    domain = sight.fleet["spec"]["tree"]["domain"]
    found = _ask(sight, "TXT", f"{label}.{domain}" if label else domain)
    return 0 if found is None else int(found.ttl)


def _entry(sight: Sight) -> str:
    """The label of some entry of the tree."""
    root = str(_ask(sight, "TXT") or "")
    return root.partition("e=")[2].partition(" ")[0]


def _says(kind: str, text: str) -> Callable[[Sight], bool]:
    return lambda sight: text in str(_ask(sight, kind))


def _tree() -> Course:
    base = merged(
        one("relayer"),
        {
            "tree": {
                "domain": "nodes.tree.example",
                "ttl": {"root": "1s"},
                "signingKey": {"secretKeyRef": {"name": "signer", "key": "hex"}},
            }
        },
    )
    propagated = ("TreePropagated", "Resolved")

    def edit(field: str, value: Any, shows: Callable[[Sight], bool], *changes: str) -> Edit:
        _, in_list, rest = field.partition("publish[].")
        patch = nested("tree.publish", [nested(rest, value)]) if in_list else None
        return Edit(
            (f"tree.{field}",),
            patch or nested(f"tree.{field}", value),
            shows,
            frozenset(changes or (_SERVED,)),
            condition=propagated,
        )

    zone = [{"embedded": {}}, {"zoneFile": {"configMap": "tree-zone"}}]
    edits = (
        edit("ttl.root", "2s", lambda sight: _ttl(sight) == 2),
        edit("ttl.entries", "2h", lambda sight: _ttl(sight, _entry(sight)) == 7200),
        edit("soa.nameServers", ["ns9.example.org"], _says("NS", "ns9.example.org")),
        edit("soa.mail", "keeper@example.org", _says("SOA", "keeper.example.org")),
        edit("soa.minimum", "7s", lambda sight: str(_ask(sight, "SOA")).endswith(" 7")),
        edit("links", [TREE_URL], lambda sight: sight.status["tree"]["seq"] == 2, _SERVED),
        edit(
            "publish[].embedded.service.type",
            "NodePort",
            lambda sight: sight.objects["Service dns"]["spec"]["type"] == "NodePort",
            "Service dns",
        ),
        edit(
            "publish[].embedded.service.annotations",
            {"note": "x"},
            lambda sight: (
                sight.objects["Service dns"]["metadata"]["annotations"].get("note") == "x"
            ),
            "Service dns",
        ),
        Edit(
            ("tree.publish[].zoneFile.configMap",),
            nested("tree.publish", zone),
            lambda sight: "ConfigMap zone" in sight.objects,
            frozenset({"ConfigMap zone", "Service dns"}),
            condition=("TreePublished", "Published"),
        ),
        Edit(
            ("tree.publish[].dnsEndpoint",),
            nested("tree.publish", [{"embedded": {}}, {"dnsEndpoint": {}}]),
            # What was published into a zone file goes; and the cluster has no such kind.
            lambda sight: _sink(sight, "dnsEndpoint")["state"] == "Failed",
            frozenset({"ConfigMap zone"}),
            condition=("TreePublished", "SinkFailed"),
            says="DNSEndpoint",
        ),
    )
    return Course("tree", base, edits, needs=(secret("signer", hex="5f" * 32),))


def _sink(sight: Sight, name: str) -> Json:
    sinks = sight.status.get("tree", {}).get("sinks", ())
    return next((sink for sink in sinks if sink["name"] == name), {"state": ""})


def _updates(around: Surroundings) -> Course:
    """A server outside: what is wrong of it keeps the tree away, and a condition says so."""
    right = {
        "server": f"{HOST}:{around.dns_port}",
        "zone": ZONE,
        "tsig": {"secretKeyRef": {"name": KEY_NAME, "key": "secret"}},
    }
    base = merged(
        one("relayer"),
        {
            "tree": {
                "domain": f"nodes.{ZONE}",
                "ttl": {"root": "1s"},
                "publish": [{"rfc2136": right}],
            }
        },
    )
    key = {"name": KEY_NAME, "key": "secret"}
    links = cycle([[TREE_URL], []])

    def edit(field: str, *, says: str, reason: str = "SinkFailed", **change: Any) -> Edit:
        place = "tree.publish[].rfc2136"
        return Edit(
            (f"{place}.{field}",),
            # With something to publish, since a server is not written to for nothing.
            {"tree": {"publish": [{"rfc2136": merged(right, change)}], "links": next(links)}},
            lambda sight: True,
            condition=("TreePublished", reason),
            says=says,
        )

    def again() -> Edit:
        return Edit(
            (),
            nested("tree.publish", [{"rfc2136": right}]),
            lambda sight: True,
            condition=("TreePropagated", "Resolved"),
        )

    edits = (
        edit("server", says="127.0.0.1 port 9", server="127.0.0.1:9"),
        again(),
        edit("zone", says=f"nodes.{ZONE}", zone=f"nodes.{ZONE}"),
        again(),
        edit("tsig.keyName", says="key", tsig={"keyName": "other"}),
        again(),
        edit("tsig.algorithm", says="key", tsig={"algorithm": "hmac-sha512"}),
        again(),
        edit(
            "tsig.secretKeyRef.name",
            says="Secret nobody",
            tsig={"secretKeyRef": {**key, "name": "nobody"}},
        ),
        again(),
        edit(
            "tsig.secretKeyRef.key",
            says="key nothing",
            tsig={"secretKeyRef": {**key, "key": "nothing"}},
        ),
        again(),
    )
    return Course("updates", base, edits, needs=(secret(KEY_NAME, secret=SECRET),))


def courses(around: Surroundings) -> Iterator[Course]:
    """Yield the fleets that are edited as a whole."""
    yield _image(around)
    yield _canary()
    yield _rollout()
    yield _tree()
    yield _updates(around)
