"""The rules between fields: one table for `statusfleet validate`, the loop, and the CRD.

A rule stands at a model and holds for every part of a document that is of it. `find` names the
offending fields, relative to that part; `cel` says the same to the API server, where CEL can. The
sentences are fixed, so both answer with the same words. Patterns of single texts are in
`statusfleet.api.text`, bounds of single values in the models.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from statusfleet.api.duration import Duration
from statusfleet.api.exposure import ALLOCATED_PORTS, Expose
from statusfleet.api.findings import (
    foreign_zone,
    private_addresses,
    same_address,
    same_address_across_roles,
    same_key_secret,
    same_link,
    same_ordinal,
    same_sink,
    sink_count,
    smaller,
    static_without_address,
)
from statusfleet.api.fleet import MAX_NAME, StatusFleet
from statusfleet.api.model import Model
from statusfleet.api.problems import Path, Step
from statusfleet.api.roles import (
    Bootstrap,
    Mailserver,
    MemberOverride,
    Protocols,
    Rendezvous,
    Roles,
    RoleSpec,
    Storage,
)
from statusfleet.api.spec import Canary, Rollout
from statusfleet.api.text import PRIVATE_IPV4, PRIVATE_IPV6
from statusfleet.api.tree import SOA, Sink, TreeSpec, TreeTTL

SECOND: Final = Duration(10**9)
DAY: Final = Duration(24 * 3600 * 10**9)
YEAR: Final = Duration(365 * 24 * 3600 * 10**9)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `field` is where the API server reports it, below the model's own path.

    `find` gets the part and, for a transition, the part as it was before.
    """

    model: type[Model]
    field: str
    sentence: str
    find: Callable[..., Iterable[Path]]
    cel: str = ""
    transition: bool = False


def problems_of(fleet: StatusFleet, before: StatusFleet | None = None) -> list[tuple[Path, str]]:
    """Return what breaks a rule in `fleet`; with `before`, also what may not change."""
    return list(_apply(fleet, before, ()))


def rules_for(model: type[Model]) -> tuple[Rule, ...]:
    """Return the rules of a model, those of the models it is made from included."""
    return tuple(rule for rule in RULES if issubclass(model, rule.model))


def _apply(part: Model, before: Model | None, path: Path) -> Iterator[tuple[Path, str]]:
    for rule in rules_for(type(part)):
        if not rule.transition:
            found = rule.find(part)
        elif before is not None:
            found = rule.find(part, before)
        else:
            continue
        yield from ((path + place, rule.sentence) for place in found)
    old = {} if before is None else {known: child for _, known, child in _children(before)}
    for step, known, child in _children(part):
        yield from _apply(child, old.get(known), path + step)


def _children(part: Model) -> Iterator[tuple[Path, Path, Model]]:
    """Yield the models within a model: where each stands, what it is known by, itself."""
    for name, field in type(part).model_fields.items():
        value, step = getattr(part, name), field.alias or name
        if isinstance(value, Model):
            yield (step,), (step,), value
        elif isinstance(value, tuple):
            for place, item in enumerate(value):
                if isinstance(item, Model):
                    known = item.ordinal if isinstance(item, MemberOverride) else place
                    yield (step, place), (step, known), item


def _unless(holds: Callable[[Any], bool], *place: Step) -> Callable[[Any], Iterable[Path]]:
    """Find `place` where a condition does not hold."""
    return lambda part: () if holds(part) else (place,)


def _between(field: str, low: Duration, high: Duration) -> tuple[Callable[[Any], bool], str]:
    """Return the same bounds of a duration for Python and for CEL."""
    name = f"self.{field}"
    cel = f"duration({name}) >= duration('{low}') && duration({name}) <= duration('{high}')"
    return lambda part: bool(low <= getattr(part, field) <= high), cel


def _duration_rule(model: type[Model], field: str, low: Duration, high: Duration) -> Rule:
    holds, cel = _between(field, low, high)
    sentence = f"must be at least {low} and at most {high}"
    return Rule(model, field, sentence, _unless(holds, field), cel)


def _changed(*attributes: str, place: Path) -> Callable[[Model, Model], Iterable[Path]]:
    """Find `place` where an attribute is not what it was."""

    def find(part: Model, before: Model) -> Iterable[Path]:
        same = all(getattr(part, name) == getattr(before, name) for name in attributes)
        return () if same else (place,)

    return find


_SERVICE_NAME: Final = re.compile(r"^[a-z][^.]*$")
_SCALED: Final = "!has(self.expose)"
"""A role that is there only because `kubectl scale` has written its replicas, without defaults."""
_OPTIONAL_SAME: Final = (
    "has(self.{0}) == has(oldSelf.{0}) && (!has(self.{0}) || self.{0} == oldSelf.{0})"
)
_ENDPOINTS_EQUAL: Final = (
    "has(b.address) && b.address.ip == a.address.ip && b.address.tcp == a.address.tcp"
)
_SINKS_EQUAL: Final = (
    "(has(a.embedded) && has(b.embedded)) || (has(a.dnsEndpoint) && has(b.dnsEndpoint)) || "
    "(has(a.rfc2136) && has(b.rfc2136) && a.rfc2136.server == b.rfc2136.server) || "
    "(has(a.zoneFile) && has(b.zoneFile) && a.zoneFile.configMap == b.zoneFile.configMap)"
)

RULES: Final = (
    Rule(
        StatusFleet,
        "metadata.name",
        f"may be at most {MAX_NAME} characters long, since the names of members begin with it",
        _unless(lambda fleet: len(fleet.metadata.name) <= MAX_NAME, "metadata", "name"),
        f"self.metadata.name.size() <= {MAX_NAME}",
    ),
    Rule(
        StatusFleet,
        "metadata.name",
        "must begin with a letter and have no dots, since Services are called by it",
        _unless(lambda fleet: bool(_SERVICE_NAME.match(fleet.metadata.name)), "metadata", "name"),
        f"self.metadata.name.matches('{_SERVICE_NAME.pattern}')",
    ),
    Rule(
        Roles,
        "",
        "no role has a member: give at least one role replicas of 1 or more",
        _unless(lambda roles: any(role.replicas > 0 for role in roles.present())),
        " || ".join(
            f"(has(self.{role}) && self.{role}.replicas > 0)"
            for role in ("bootstrap", "relayer", "rendezvous", "mailserver")
        ),
    ),
    Rule(
        Bootstrap,
        "replicas",
        "bootstrap nodes cannot be run by this version yet; leave the role out",
        _unless(lambda role: role.replicas == 0, "replicas"),
        "self.replicas == 0",
    ),
    Rule(
        Rendezvous,
        "replicas",
        "rendezvous servers cannot be run by this version yet; leave the role out",
        _unless(lambda role: role.replicas == 0, "replicas"),
        "self.replicas == 0",
    ),
    Rule(
        Protocols,
        "waku",
        "must be true, since this version speaks no other protocol than Waku yet",
        _unless(lambda protocols: protocols.waku, "waku"),
        "self.waku",
    ),
    Rule(
        Protocols,
        "whisper",
        "must be false, since this version does not speak Whisper yet",
        _unless(lambda protocols: not protocols.whisper, "whisper"),
        "!self.whisper",
    ),
    Rule(
        Protocols,
        "bridge",
        "must be false, since this version cannot bridge Whisper and Waku yet",
        _unless(lambda protocols: not protocols.bridge, "bridge"),
        "!self.bridge",
    ),
    Rule(
        Mailserver,
        "database",
        "mailservers cannot use PostgreSQL in this version yet; leave it out for SQLite",
        _unless(lambda role: role.database is None, "database"),
        "!has(self.database)",
    ),
    Rule(
        Expose,
        "port",
        "is refused for ClusterIP and NodePort, whose port the cluster allocates",
        _unless(lambda part: part.port is None or part.type not in ALLOCATED_PORTS, "port"),
        "!has(self.port) || !(self.type in ['ClusterIP', 'NodePort'])",
    ),
    Rule(
        RoleSpec,
        "replicas",
        "the fleet has no such role: write it into spec.roles before it is scaled",
        lambda _: (),  # a manifest that names a role has it, with all defaults
        "has(self.expose)",
    ),
    Rule(
        RoleSpec,
        "members",
        "with expose.type Static every member needs an address here",
        static_without_address,
        f"{_SCALED} || self.expose.type != 'Static' || self.members.filter(m, "
        "m.ordinal < self.replicas && (has(m.address) || m.disabled)).size() == self.replicas",
    ),
    Rule(
        RoleSpec,
        "members",
        "is a private address; it is published only where expose.addressScope is Private",
        private_addresses,
        f"{_SCALED} || self.expose.addressScope == 'Private' || self.members.all(m, "
        f"!has(m.address) || !(m.address.ip.matches(r'{PRIVATE_IPV4.pattern}') || "
        f"(has(m.address.ip6) && m.address.ip6.matches(r'{PRIVATE_IPV6.pattern}'))))",
    ),
    Rule(
        RoleSpec,
        "members",
        "two members cannot have the same address and port",
        same_address,
        f"{_SCALED} || self.members.all(a, !has(a.address) || "
        f"self.members.filter(b, {_ENDPOINTS_EQUAL}).size() == 1)",
    ),
    Rule(
        Roles,
        "",
        "two members cannot have the same address and port",
        same_address_across_roles,
    ),
    Rule(RoleSpec, "members", "this ordinal stands here twice", same_ordinal),
    Rule(
        RoleSpec,
        "members",
        "two members cannot have the same node key",
        same_key_secret,
        f"{_SCALED} || self.members.all(a, !has(a.nodeKeySecret) || self.members.filter(b, "
        "has(b.nodeKeySecret) && b.nodeKeySecret == a.nodeKeySecret).size() == 1)",
    ),
    Rule(
        Sink,
        "",
        "must be exactly one of embedded, rfc2136, zoneFile, dnsEndpoint",
        _unless(lambda sink: sink_count(sink) == 1),
        "[has(self.embedded), has(self.rfc2136), has(self.zoneFile), has(self.dnsEndpoint)]"
        ".filter(x, x).size() == 1",
    ),
    Rule(
        TreeSpec,
        "publish",
        "this sink stands here twice",
        same_sink,
        f"self.publish.all(a, self.publish.filter(b, {_SINKS_EQUAL}).size() <= 1)",
    ),
    Rule(
        TreeSpec,
        "publish",
        "the zone must be the tree's domain or one above it",
        foreign_zone,
        "self.publish.all(s, !has(s.rfc2136) || self.domain == s.rfc2136.zone || "
        "self.domain.endsWith('.' + s.rfc2136.zone))",
    ),
    Rule(
        TreeSpec,
        "links",
        "this link stands here twice",
        same_link,
        "self.links.all(a, self.links.filter(b, b == a).size() == 1)",
    ),
    _duration_rule(TreeTTL, "root", SECOND, DAY),
    _duration_rule(TreeTTL, "entries", SECOND, YEAR),
    Rule(
        TreeTTL,
        "entries",
        "must not be shorter than the root's",
        _unless(lambda ttl: ttl.entries >= ttl.root, "entries"),
        "duration(self.entries) >= duration(self.root)",
    ),
    _duration_rule(SOA, "minimum", SECOND, DAY),
    _duration_rule(Canary, "interval", SECOND, DAY),
    _duration_rule(Canary, "timeout", SECOND, Duration(10 * 60 * 10**9)),
    _duration_rule(Rollout, "soak", Duration(0), DAY),
    Rule(
        Rollout,
        "order",
        "names a role twice",
        _unless(lambda rollout: len(set(rollout.order)) == len(rollout.order), "order"),
        "self.order.all(a, self.order.filter(b, b == a).size() == 1)",
    ),
    Rule(
        TreeSpec,
        "domain",
        "cannot change while the fleet exists, since readers know the tree by it",
        _changed("domain", place=("domain",)),
        "self.domain == oldSelf.domain",
        transition=True,
    ),
    Rule(
        TreeSpec,
        "signingKey",
        "cannot change while the fleet exists, since readers know the tree by its key",
        _changed("signing_key", place=("signingKey",)),
        _OPTIONAL_SAME.format("signingKey"),
        transition=True,
    ),
    Rule(
        MemberOverride,
        "nodeKeySecret",
        "cannot change, since a member is known by its key; give the key to another ordinal",
        _changed("node_key_secret", place=("nodeKeySecret",)),
        _OPTIONAL_SAME.format("nodeKeySecret"),
        transition=True,
    ),
    Rule(
        Storage,
        "size",
        "a volume may grow, never shrink",
        smaller,
        "quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",
        transition=True,
    ),
    Rule(
        Storage,
        "storageClassName",
        "cannot change for volumes that exist",
        _changed("storage_class_name", place=("storageClassName",)),
        _OPTIONAL_SAME.format("storageClassName"),
        transition=True,
    ),
)
