"""Random specs of small fleets, which a cluster without much can run; and a list of them.

Each is valid, and may follow upon any other: what cannot change is the same in all of them.
"""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from support.manifest_tables import ENODE, TREE_URL

Spec = dict[str, Any]
Fields = dict[str, st.SearchStrategy[Any]]
DOMAIN = "nodes.edits.example"
KEY_SECRET = {"name": "adopted", "key": "nodekey"}
"""A Secret with a node key, which these fleets need."""
PASSWORD_SECRET = {"name": "mail", "key": "password"}
"""A Secret with a mail password, which these fleets need."""


def _any_of(fields: Fields) -> st.SearchStrategy[Spec]:
    return st.fixed_dictionaries({}, optional=fields)


_REACHED = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["ClusterIP", "NodePort"]),
        "addressScope": st.sampled_from(["Private", "Private", "Private", "Public"]),
    },
    optional={"addressTypes": st.just(["InternalIP"]), "annotations": st.just({"note": "edited"})},
)
# Nobody there makes load balancers, so such a member runs, and waits for an address.
_BALANCED = st.fixed_dictionaries(
    {"type": st.just("LoadBalancer")}, optional={"port": st.just(443)}
)
_EXPOSE = st.sampled_from([_REACHED] * 5 + [_BALANCED]).flatmap(lambda kind: kind)
_TEMPLATE = _any_of(
    {
        "labels": st.sampled_from([{"team": "a"}, {"team": "b", "more": "c"}]),
        "annotations": st.sampled_from([{"note": "a"}, {"note": "b"}]),
        "tolerations": st.just([{"key": "relay", "operator": "Exists"}]),
        "terminationGracePeriodSeconds": st.integers(5, 30),
    }
)
_ANY_ROLE: Fields = {
    "maxPeers": st.integers(1, 300),
    "minPow": st.sampled_from([0.000002, 0.0002]),
    # The one is taken up by a running member, the other by one that is started anew.
    "config": st.sampled_from([{"LogLevel": "DEBUG"}, {"MaxPendingPeers": 5}]),
    "resources": st.sampled_from([{"requests": {"cpu": "11m"}}, {"limits": {"memory": "300Mi"}}]),
    "template": _TEMPLATE,
}
# A member's exception is known by its ordinal, and its key may not change: so the first has none,
# and the second always the same.
_FIRST: st.SearchStrategy[Spec] = st.sampled_from(
    [{"disabled": True}, {"address": {"ip": "172.30.0.99", "tcp": 443}}]
)
_SECOND: st.SearchStrategy[Spec] = st.just({"nodeKeySecret": KEY_SECRET})
_EXCEPTIONS = st.tuples(st.none() | _FIRST, st.none() | _SECOND).map(
    lambda pair: [{"ordinal": n, **found} for n, found in enumerate(pair) if found]
)
_STORAGE: Spec = {"size": "64Mi"}


def _role(fields: Fields, **needed: st.SearchStrategy[Any]) -> st.SearchStrategy[Spec]:
    base = {"replicas": st.integers(0, 2), "expose": _EXPOSE, **needed}
    return st.fixed_dictionaries(base, optional={**_ANY_ROLE, **fields}).map(_may_have_its_address)


def _may_have_its_address(role: Spec) -> Spec:
    """Let a private address of the manifest's be published."""
    if any("address" in member for member in role.get("members", ())):
        return {**role, "expose": {**role["expose"], "addressScope": "Private"}}
    return role


_RELAYER = _role({"members": _EXCEPTIONS, "storage": st.just(_STORAGE)})
_MAILSERVER = _role(
    storage=st.builds(
        lambda policy: _STORAGE | {"retentionPolicy": policy},
        _any_of(
            {
                "whenDeleted": st.sampled_from(["Retain", "Delete"]),
                "whenScaled": st.sampled_from(["Retain", "Delete"]),
            }
        ),
    ),
    fields={
        "retentionDays": st.integers(1, 60),
        "rateLimit": st.sampled_from(["1s", "5s"]),
        "password": st.just({"secretKeyRef": PASSWORD_SECRET}),
    },
)
_ROLES = _any_of({"relayer": _RELAYER, "mailserver": _MAILSERVER}).filter(
    lambda roles: any(role["replicas"] for role in roles.values())
)
_PUBLISH = st.sampled_from(
    [
        [{"embedded": {}}],
        [{"embedded": {"service": {"type": "NodePort"}}}],
        [{"embedded": {}}, {"zoneFile": {"configMap": "zone"}}],
        [{"zoneFile": {"configMap": "zone"}}],
    ]
)
_TREE = st.fixed_dictionaries(
    {"domain": st.just(DOMAIN), "ttl": st.just({"root": "1s", "entries": "1h"})},
    optional={
        "links": st.just([TREE_URL]),
        "publish": _PUBLISH,
        "soa": st.just({"mail": "keeper@example.org", "minimum": "5s"}),
    },
)


def specs() -> st.SearchStrategy[Spec]:
    """Specs of fleets of up to two members a role."""
    return st.fixed_dictionaries(
        {"roles": _ROLES, "rollout": st.just({"soak": "0s"})},
        optional={
            "tree": _TREE,
            "canary": st.sampled_from([{"enabled": False}, {"interval": "2s"}]),
            "peers": _any_of({"static": st.just([ENODE]), "trustedMailservers": st.just([ENODE])}),
            "fleetName": st.sampled_from(["eth.test", "eth.edits"]),
            "datacenter": st.just("do-ams3"),
            "image": st.just({"pullSecrets": ["registry"]}),
            "paused": st.sampled_from([False, False, True]),
        },
    )


def drawn(count: int, number: int) -> list[Spec]:
    """Return so many specs, the one that says most at the end; the same for the same number.

    Hypothesis tries one example after another, and each much like the one before: neither is meant
    here, so more are drawn at once and some are chosen. The last one is of no paused fleet.
    """
    found: list[Spec] = []

    @seed(number)
    @settings(
        max_examples=4 * count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(specs())
    def draw(spec: Spec) -> None:
        found.append(spec)

    draw()
    chosen = random.Random(number).sample(found, count)
    last = max(chosen, key=lambda spec: len(json.dumps(spec)))
    return [*(spec for spec in chosen if spec is not last), {**last, "paused": False}]
