"""Wrong manifests with what must be said about them, for the validator and the API server alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

KEY_SECRET = {"name": "old", "key": "nodekey"}
ENODE = (
    "enode://ca634cae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd3138"
    "7574077f301b421bc84df7266c44e9e6d569fc56be00812904767bf5ccd1fc7f@127.0.0.1:30303"
)
TREE_URL = "enrtree://AM5FCQLWIZX2QFPNJAP7VUERCCRNGRHWZG3YYHIUV7BVDQ5FDPRT2@morenodes.example.org"


def manifest(spec: dict[str, Any], name: str = "eth-dev") -> dict[str, Any]:
    """Return a whole document around a spec."""
    return {
        "apiVersion": "statusfleet.io/v1alpha1",
        "kind": "StatusFleet",
        "metadata": {"name": name},
        "spec": spec,
    }


def relayer(**fields: Any) -> dict[str, Any]:
    """Return a spec with two relayers."""
    return {"roles": {"relayer": {"replicas": 2, **fields}}}


def tree(**fields: Any) -> dict[str, Any]:
    """Return a spec with two relayers and a tree."""
    return {**relayer(), "tree": {"domain": "nodes.example.org", **fields}}


@dataclass(frozen=True)
class Wrong:
    """A spec, and the one thing that is wrong with it.

    `server` tells whether the API server must answer with the same sentence; what only a type or
    a bound refuses it says in its own words.
    """

    path: str
    sentence: str
    spec: dict[str, Any]
    server: bool = False
    name: str = "eth-dev"
    before: dict[str, Any] | None = field(default=None)

    @property
    def label(self) -> str:
        return f"{self.path}: {self.sentence}"


DURATION = "must be a duration as Go writes it, such as 500ms, 30s, 1m30s or 24h"
DOMAIN = "must be a DNS name of at least two labels, such as nodes.example.org"
SAME_ADDRESS = "two members cannot have the same address and port"

WRONG = (
    Wrong("spec.roles", "is required", {}),
    Wrong(
        "spec.uptime",
        "is not a field that exists here",
        {**relayer(), "uptime": 3},
    ),
    Wrong(
        "spec.roles.relayer.replica",
        "is not a field that exists here; did you mean replicas?",
        relayer(replica=2),
    ),
    Wrong(
        "spec.roles.relayer.replicas",
        'must be a whole number, not the text "2"',
        {"roles": {"relayer": {"replicas": "2"}}},
    ),
    Wrong(
        "spec.roles.relayer.replicas",
        "must be at least 0, not -1",
        {"roles": {"relayer": {"replicas": -1}}},
    ),
    Wrong(
        "spec.roles.relayer.replicas",
        "must be at most 500, not 501",
        {"roles": {"relayer": {"replicas": 501}}},
    ),
    Wrong(
        "spec.roles.relayer",
        "is empty; leave it out, or give it a value",
        {"roles": {"relayer": None}},
    ),
    Wrong("spec.roles", "must be an object, not a list", {"roles": []}),
    Wrong("spec.paused", 'must be true or false, not the text "no"', {**relayer(), "paused": "no"}),
    Wrong(
        "spec.roles.relayer.minPow",
        "must be a number, not true",
        relayer(minPow=True),
    ),
    Wrong(
        "spec.roles.relayer.expose.type",
        "must be one of ClusterIP, NodePort, LoadBalancer, HostPort, Static, "
        'not the text "Nodeport"',
        relayer(expose={"type": "Nodeport"}),
    ),
    Wrong(
        "spec.roles.relayer.members",
        "may have at most 100 entries",
        relayer(members=[{"ordinal": n} for n in range(101)]),
    ),
    Wrong("spec.tree.publish", "needs at least 1 entry", tree(publish=[])),
    # texts
    Wrong("spec.tree.domain", DOMAIN, tree(domain="nodes"), server=True),
    Wrong("spec.tree.domain", DOMAIN, tree(domain="nodes..example.org"), server=True),
    Wrong("spec.tree.domain", DOMAIN, tree(domain="Nodes.example.org"), server=True),
    Wrong("spec.tree.domain", DOMAIN, tree(domain="nodes.example.org\n"), server=True),
    Wrong(
        "spec.tree.domain",
        "may be at most 226 characters long, not 227",
        tree(domain=f"{'a' * 56}." * 3 + f"{'b' * 56}"),
    ),
    Wrong("spec.tree.ttl.root", DURATION, tree(ttl={"root": "5"}), server=True),
    Wrong("spec.tree.ttl.root", DURATION, tree(ttl={"root": 5})),
    Wrong(
        "spec.roles.relayer.members[0].address.ip",
        "must be an IPv4 address, such as 203.0.113.7, never a name",
        relayer(members=[{"ordinal": 0, "address": {"ip": "203.0.113.256", "tcp": 443}}]),
        server=True,
    ),
    Wrong(
        "spec.peers.static[1]",
        "must be an enode URL: enode://<128 hex digits>@<host>:<port>",
        {**relayer(), "peers": {"static": [ENODE, "enr:-IS4Q"]}},
        server=True,
    ),
    Wrong(
        "spec.peers.trustedMailservers[0]",
        "is no enode URL: the public key is not a point of secp256k1",
        {**relayer(), "peers": {"trustedMailservers": [f"enode://{'0' * 128}@10.0.0.1:30303"]}},
    ),
    Wrong(
        "spec.tree.links[0]",
        "must be the URL of a tree: enrtree://<key in base32>@<domain>",
        tree(links=["https://example.org"]),
        server=True,
    ),
    Wrong(
        "spec.roles.mailserver.storage.size",
        "must be an amount as Kubernetes writes it, such as 1Gi or 500m",
        {"roles": {"mailserver": {"storage": {"size": "1 GB"}}}},
        server=True,
    ),
    # rules between fields
    Wrong(
        "metadata.name",
        "may be at most 40 characters long, since the names of members begin with it",
        relayer(),
        server=True,
        name="x" * 41,
    ),
    *(
        Wrong(
            f"spec.roles.relayer.{path}",
            'the key "no label" must be a label\'s key, such as example.org/team',
            relayer(**{part: {field: {"right": "1", "no label": "1"}}}),
            server=True,
        )
        for path, part, field in (
            ("expose.annotations", "expose", "annotations"),
            ("resources.limits", "resources", "limits"),
            ("template.nodeSelector", "template", "nodeSelector"),
        )
    ),
    *(
        Wrong(
            "metadata.name",
            "must begin with a letter and have no dots, since Services are called by it",
            relayer(),
            server=True,
            name=name,
        )
        for name in ("eth.dev", "1eth")
    ),
    Wrong(
        "spec.tree.links[1]",
        "this link stands here twice",
        tree(links=[TREE_URL, TREE_URL]),
        server=True,
    ),
    Wrong(
        "spec.roles.relayer.members[0].address.ip6",
        "must be an IPv6 address in lower case, such as 2001:db8::7, without an IPv4 address in it",
        relayer(
            members=[
                {"ordinal": 0, "address": {"ip": "8.8.4.4", "ip6": "2001::db8::7", "tcp": 443}}
            ]
        ),
        server=True,
    ),
    Wrong(
        "spec.roles",
        "no role has a member: give at least one role replicas of 1 or more",
        {"roles": {"relayer": {"replicas": 0}, "mailserver": {"replicas": 0}}},
        server=True,
    ),
    Wrong(
        "spec.roles",
        "no role has a member: give at least one role replicas of 1 or more",
        {"roles": {}},
        server=True,
    ),
    Wrong(
        "spec.roles.bootstrap.replicas",
        "bootstrap nodes cannot be run by this version yet; leave the role out",
        {"roles": {"bootstrap": {}, "relayer": {}}},
        server=True,
    ),
    Wrong(
        "spec.roles.rendezvous.replicas",
        "rendezvous servers cannot be run by this version yet; leave the role out",
        {"roles": {"rendezvous": {"replicas": 1}}},
        server=True,
    ),
    Wrong(
        "spec.roles.relayer.protocols.whisper",
        "must be false, since this version does not speak Whisper yet",
        relayer(protocols={"whisper": True}),
        server=True,
    ),
    Wrong(
        "spec.roles.relayer.protocols.bridge",
        "must be false, since this version cannot bridge Whisper and Waku yet",
        relayer(protocols={"bridge": True}),
        server=True,
    ),
    Wrong(
        "spec.roles.relayer.protocols.waku",
        "must be true, since this version speaks no other protocol than Waku yet",
        relayer(protocols={"waku": False}),
        server=True,
    ),
    Wrong(
        "spec.roles.mailserver.database",
        "mailservers cannot use PostgreSQL in this version yet; leave it out for SQLite",
        {"roles": {"mailserver": {"database": {"postgresql": {"secretKeyRef": KEY_SECRET}}}}},
        server=True,
    ),
    Wrong(
        "spec.roles.relayer.expose.port",
        "is refused for ClusterIP and NodePort, whose port the cluster allocates",
        relayer(expose={"port": 443}),
        server=True,
    ),
    Wrong(
        "spec.roles.relayer.members",
        "with expose.type Static every member needs an address here",
        relayer(
            expose={"type": "Static"},
            members=[{"ordinal": 0, "address": {"ip": "203.0.113.7", "tcp": 443}}],
        ),
        server=True,
    ),
    Wrong(
        "spec.roles.relayer.members[0].address.ip",
        "is a private address; it is published only where expose.addressScope is Private",
        relayer(members=[{"ordinal": 0, "address": {"ip": "172.16.0.1", "tcp": 443}}]),
        server=True,
    ),
    Wrong(
        "spec.roles.relayer.members[0].address.ip6",
        "is a private address; it is published only where expose.addressScope is Private",
        relayer(
            members=[{"ordinal": 0, "address": {"ip": "8.8.4.4", "ip6": "fd00::1", "tcp": 443}}]
        ),
        server=True,
    ),
    Wrong(
        "spec.roles.relayer.members[1].address",
        SAME_ADDRESS,
        relayer(
            members=[
                {"ordinal": 0, "address": {"ip": "203.0.113.7", "tcp": 443}},
                {"ordinal": 1, "address": {"ip": "203.0.113.7", "tcp": 443, "udp": 444}},
            ]
        ),
        server=True,
    ),
    Wrong(
        "spec.roles.mailserver.members[0].address",
        SAME_ADDRESS,
        {
            "roles": {
                role: {"members": [{"ordinal": 0, "address": {"ip": "203.0.113.7", "tcp": 443}}]}
                for role in ("relayer", "mailserver")
            }
        },
    ),
    Wrong(
        "spec.roles.relayer.members[1].ordinal",
        "this ordinal stands here twice",
        relayer(members=[{"ordinal": 1}, {"ordinal": 1}]),
    ),
    Wrong(
        "spec.roles.relayer.members[1].nodeKeySecret",
        "two members cannot have the same node key",
        relayer(members=[{"ordinal": n, "nodeKeySecret": KEY_SECRET} for n in (0, 1)]),
        server=True,
    ),
    Wrong(
        "spec.tree.publish[0]",
        "must be exactly one of embedded, rfc2136, zoneFile, dnsEndpoint",
        tree(publish=[{"embedded": {}, "zoneFile": {"configMap": "zone"}}]),
        server=True,
    ),
    Wrong(
        "spec.tree.publish[1]",
        "this sink stands here twice",
        tree(publish=[{"embedded": {}}, {"embedded": {}}]),
        server=True,
    ),
    Wrong(
        "spec.tree.publish[0].rfc2136.zone",
        "the zone must be the tree's domain or one above it",
        tree(
            publish=[
                {
                    "rfc2136": {
                        "server": "ns1.example.org:53",
                        "zone": "s.example.org",
                        "tsig": {"secretKeyRef": KEY_SECRET},
                    }
                }
            ]
        ),
        server=True,
    ),
    Wrong(
        "spec.tree.ttl.root",
        "must be at least 1s and at most 24h",
        tree(ttl={"root": "999ms"}),
        server=True,
    ),
    Wrong(
        "spec.tree.ttl.entries",
        "must not be shorter than the root's",
        tree(ttl={"entries": "4m59s"}),
        server=True,
    ),
    Wrong(
        "spec.canary.timeout",
        "must be at least 1s and at most 10m",
        {**relayer(), "canary": {"timeout": "0s"}},
        server=True,
    ),
    Wrong(
        "spec.rollout.order",
        "names a role twice",
        {**relayer(), "rollout": {"order": ["relayer", "relayer"]}},
        server=True,
    ),
    # statusd's own settings
    Wrong(
        "spec.roles.relayer.config.NodeKey",
        "is a secret; it goes into members[].nodeKeySecret",
        relayer(config={"NodeKey": "00"}),
    ),
    Wrong(
        "spec.roles.relayer.config.ListenAddr",
        "is decided by the fleet itself, which knows where the member runs",
        relayer(config={"ListenAddr": ":1"}),
    ),
    Wrong(
        "spec.roles.relayer.config.WakuConfig.MinimumPoW",
        "is minPow of the role",
        relayer(config={"WakuConfig": {"MinimumPoW": 1}}),
    ),
    Wrong(
        "spec.roles.relayer.config.wakuConfig",
        "is not a setting of statusd; did you mean WakuConfig?",
        relayer(config={"wakuConfig": {}}),
    ),
    Wrong(
        "spec.roles.relayer.config.WakuConfig.MaxMessageSize",
        "want an integer in the range of its type, got -1",
        relayer(config={"WakuConfig": {"MaxMessageSize": -1}}),
    ),
    Wrong(
        "spec.roles.relayer.config.BridgeConfig.Enabled",
        "this version has no bridge between Whisper and Waku; set it to false",
        relayer(config={"BridgeConfig": {"Enabled": True}}),
    ),
    # what may not change
    Wrong(
        "spec.tree.domain",
        "cannot change while the fleet exists, since readers know the tree by it",
        tree(domain="nodes.example.com"),
        server=True,
        before=tree(),
    ),
    Wrong(
        "spec.tree.signingKey",
        "cannot change while the fleet exists, since readers know the tree by its key",
        tree(signingKey={"secretKeyRef": KEY_SECRET}),
        server=True,
        before=tree(),
    ),
    Wrong(
        "spec.roles.relayer.members[1].nodeKeySecret",
        "cannot change, since a member is known by its key; give the key to another ordinal",
        relayer(members=[{"ordinal": 0}, {"ordinal": 1}]),
        server=True,
        before=relayer(members=[{"ordinal": 1, "nodeKeySecret": KEY_SECRET}, {"ordinal": 0}]),
    ),
    Wrong(
        "spec.roles.mailserver.storage.size",
        "a volume may grow, never shrink",
        {"roles": {"mailserver": {"storage": {"size": "1000Mi"}}}},
        server=True,
        before={"roles": {"mailserver": {"storage": {"size": "1Gi"}}}},
    ),
)

RIGHT: tuple[dict[str, Any], ...] = (
    relayer(),
    {"roles": {"relayer": {}, "bootstrap": {"replicas": 0}, "rendezvous": {"replicas": 0}}},
    relayer(
        replicas=3,
        expose={"type": "Static"},
        members=[
            {"ordinal": 0, "address": {"ip": "203.0.113.7", "tcp": 443, "udp": 443}},
            {"ordinal": 2, "disabled": True},
            {
                "ordinal": 1,
                "address": {"ip": "203.0.113.7", "tcp": 444},
                "nodeKeySecret": KEY_SECRET,
            },
        ],
    ),
    relayer(
        expose={"type": "LoadBalancer", "port": 443, "addressScope": "Private"},
        members=[{"ordinal": 0, "address": {"ip": "10.0.0.1", "ip6": "fd00::1", "tcp": 443}}],
        config={"LogLevel": "DEBUG", "WakuConfig": {"MaxMessageSize": 2_000_000}},
        resources={"requests": {"cpu": "100m", "memory": "128Mi"}},
        template={"nodeSelector": {"kubernetes.io/os": "linux"}, "affinity": {"podAffinity": {}}},
        minPow=0.001,
    ),
    {
        "fleetName": "eth.dev",
        "datacenter": "do-ams3",
        "image": {"repository": "ghcr.io/example/statusfleet", "tag": "v0.1.0"},
        "paused": True,
        "roles": {
            "relayer": {"replicas": 3, "maxPeers": 50},
            "mailserver": {
                "replicas": 2,
                "retentionDays": 0,
                "password": {"secretKeyRef": KEY_SECRET},
                "rateLimit": "500ms",
                "storage": {"size": "10Gi", "storageClassName": None},
            },
        },
        "peers": {"static": [ENODE], "trustedMailservers": [ENODE]},
        "tree": {
            "domain": "nodes.eth-dev.example.org",
            "signingKey": {"secretKeyRef": {"name": "tree", "key": "key"}},
            "ttl": {"root": "1m30s", "entries": "8760h"},
            "soa": {"nameServers": ["ns1.example.org"], "mail": "a.b@example.org"},
            "links": [TREE_URL],
            "publish": [
                {"embedded": {"service": {"type": "NodePort", "annotations": {"a.b/c": "d"}}}},
                {
                    "rfc2136": {
                        "server": "ns1.example.org:53",
                        "zone": "example.org",
                        "tsig": {"secretKeyRef": KEY_SECRET},
                    }
                },
                {"zoneFile": {"configMap": "eth-dev-zone"}},
                {"dnsEndpoint": {}},
            ],
        },
        "canary": {"enabled": False, "interval": "1h", "timeout": "1m"},
        "rollout": {"order": ["mailserver"], "soak": "0s", "maxUnavailable": 2},
        "deletion": {"identities": "Delete", "tree": "Keep", "drain": False},
    },
)
