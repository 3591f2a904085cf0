"""The published list of nodes: `spec.tree`, an EIP-1459 tree and where it goes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from statusfleet.api.duration import Duration
from statusfleet.api.model import Maybe, Model, SecretKeyRef, SecretSource, entries
from statusfleet.api.text import (
    DnsName,
    HostPort,
    LabelKey,
    Line,
    MailAddress,
    ObjectName,
    TreeDomain,
    TreeURL,
)

DEFAULT_NAME_SERVERS = ("localhost",)


class TreeTTL(Model):
    """How long resolvers may keep the tree's records."""

    root: Duration = Duration(300 * 10**9)
    """TTL of the root: how soon a change is seen, and how long a removed member lingers."""
    entries: Duration = Duration(24 * 3600 * 10**9)
    """TTL of all other records; they never change, since their names are hashes."""


class SOA(Model):
    """The zone's start of authority, for the sinks that serve or write a whole zone."""

    name_servers: Annotated[tuple[DnsName, ...], entries(8)] = ()
    """Names of the zone's servers; absent means localhost, which does where nobody
    delegates the zone."""
    mail: Maybe[MailAddress] = None
    """Mail address of the zone's keeper; absent means hostmaster at the domain."""
    minimum: Duration = Duration(60 * 10**9)
    """How long resolvers remember that a name does not exist."""

    def mailbox(self, domain: str) -> str:
        """Return the keeper's address as an SOA record writes it, without a final dot."""
        user, _, host = (self.mail or f"hostmaster@{domain}").rpartition("@")
        escaped = user.replace(".", "\\.")
        return f"{escaped}.{host}"


class DNSService(Model):
    """The Service in front of the fleet's DNS servers. Without a cluster it is not used."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    """ClusterIP: answers inside the cluster only. NodePort: a port of every node, for what forwards
    port 53 to it. LoadBalancer: port 53 of a load balancer, for UDP and TCP."""
    annotations: Annotated[dict[LabelKey, Line], Field(max_length=64)] = Field(default_factory=dict)
    """Annotations of the Service, for load balancer controllers."""


class Embedded(Model):
    """A DNS server of the fleet's own."""

    service: DNSService = DNSService()
    """How the servers are reached on a cluster: Service `<fleet>-dns`. Where the tree's domain is
    delegated to it, `soa.nameServers` should name what leads to it."""


class TSIG(Model):
    """The key that signs updates to a DNS server."""

    secret_key_ref: SecretKeyRef
    """Secret that holds the key, in base64."""
    key_name: Maybe[ObjectName] = None
    """Name of the key as the server knows it; absent means the Secret's name."""
    algorithm: Literal["hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"] = "hmac-sha256"
    """Algorithm of the signature."""


class RFC2136(Model):
    """A DNS server that takes dynamic updates."""

    server: HostPort
    """The zone's primary server."""
    zone: DnsName
    """The zone that is updated: the tree's domain or one above it."""
    tsig: TSIG
    """Key of the updates."""


class ZoneFile(Model):
    """A zone file in a ConfigMap."""

    config_map: ObjectName
    """Name of the ConfigMap, which the operator makes."""


class DNSEndpoint(Model):
    """DNSEndpoint objects, for ExternalDNS to publish."""


class Sink(Model):
    """A place where the tree is published: exactly one of its fields."""

    embedded: Maybe[Embedded] = None
    """Served by the fleet itself."""
    rfc2136: Maybe[RFC2136] = Field(default=None, alias="rfc2136")
    """Sent to a DNS server as dynamic updates."""
    zone_file: Maybe[ZoneFile] = None
    """Written as a zone file into a ConfigMap."""
    dns_endpoint: Maybe[DNSEndpoint] = None
    """Handed to ExternalDNS, which needs `--source=crd`, `--managed-record-types=TXT`,
    `--registry=noop` (its TXT registry owns no TXT records) and a `--domain-filter` within which
    nobody else has TXT records. Its provider rfc2136 cannot replace a root: use the sink of that
    name instead."""

    @property
    def name(self) -> str:
        """Return the sink's name in status: its kind, and its place where several can be."""
        if self.rfc2136 is not None:
            return f"rfc2136:{self.rfc2136.server}"
        if self.zone_file is not None:
            return f"zoneFile:{self.zone_file.config_map}"
        return "dnsEndpoint" if self.dns_endpoint is not None else "embedded"


class TreeSpec(Model):
    """The signed list of the fleet's nodes, as EIP-1459 writes it into DNS."""

    domain: TreeDomain
    """Domain of the tree. It cannot change while the fleet exists, since readers know it."""
    signing_key: Maybe[SecretSource] = None
    """Key that signs the tree, as 64 hex digits; absent means a key made once and kept."""
    ttl: TreeTTL = TreeTTL()
    """How long resolvers may keep the records."""
    soa: SOA = SOA()
    """The zone's start of authority."""
    links: Annotated[tuple[TreeURL, ...], entries(50)] = ()
    """Trees of other fleets, which readers of this one follow."""
    publish: Annotated[tuple[Sink, ...], entries(8, at_least=1)] = (Sink(embedded=Embedded()),)
    """Where the tree is published; each sink has its own status."""

    @property
    def served_by(self) -> DNSService | None:
        """Return how the fleet's own DNS servers are reached, None where it has none."""
        found = (sink.embedded for sink in self.publish if sink.embedded is not None)
        return next((embedded.service for embedded in found), None)
