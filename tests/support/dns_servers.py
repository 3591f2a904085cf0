"""BIND, Knot and PowerDNS on the loopback: primaries of one zone that take updates by TSIG.

Debian's packages bind9, knot, pdns-server and pdns-backend-sqlite3. Each runs as a child in a
folder of the test, on a port of its own, and ends with the test.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest

from support.ports import HOST, free_port

ZONE = "example.org"
KEY_NAME = "fleet-key"
SECRET = base64.b64encode(hashlib.sha256(b"of tests only").digest()).decode()
SPF = "v=spf1 -all"
_START_SECONDS = 60.0


@dataclass(frozen=True)
class DnsServer:
    """A running server."""

    kind: str
    port: int
    folder: Path
    child: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def load(self, text: str) -> None:
        """Have the server load another zone file."""
        (self.folder / "zone.new").write_text(text)
        zone = (self.folder / "zone.new").rename(self.folder / "zone")
        # BIND leaves out a file that seems older than its last load, which may just be going on.
        soon = time.time() + 1
        os.utime(zone, (soon, soon))
        self.child.send_signal(signal.SIGHUP)

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Have it answer nobody for a while."""
        self.child.send_signal(signal.SIGSTOP)
        # It has stopped when all its threads have, which on a busy machine takes a while.
        os.waitid(os.P_PID, self.child.pid, os.WSTOPPED)
        try:
            yield
        finally:
            self.child.send_signal(signal.SIGCONT)

    def freeze(self) -> None:
        """End it at once."""
        self.child.kill()
        self.child.wait()


def program(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"needs {package}")
    return found


def zone_text(more: str = "", *, empty: bool = False) -> str:
    texts = (
        ""
        if empty
        else f"""nodes IN TXT "{SPF}"
other IN TXT "somebody else's"
"""
    )
    return f"""$ORIGIN {ZONE}.
$TTL 3600
@ IN SOA ns1 hostmaster 1 3600 600 86400 60
@ IN NS ns1
ns1 IN A 127.0.0.1
{texts}{more}"""


@contextlib.contextmanager
def bind(
    folder: Path, more: str = "", *, transfers: bool = True, empty: bool = False
) -> Iterator[DnsServer]:
    """Run BIND's named; `more` are further lines of the zone, which it gives away or not.

    An `empty` zone has no TXT records of others.
    """
    named = program("named", "BIND")
    (folder / "zone").write_text(zone_text(more, empty=empty))
    readers = f'key "{KEY_NAME}"' if transfers else "none"
    (folder / "named.conf").write_text(
        f"""key "{KEY_NAME}" {{ algorithm hmac-sha256; secret "{SECRET}"; }};
options {{ directory "{folder}"; pid-file "{folder}/pid"; recursion no; listen-on-v6 {{ none; }};
  session-keyfile "{folder}/session"; dnssec-validation no; notify no; }};
controls {{ }};
zone "{ZONE}" {{ type primary; file "{folder}/zone";
  allow-transfer {{ {readers}; }};
  update-policy {{ grant "{KEY_NAME}" zonesub TXT; }}; }};
"""
    )
    command = [named, "-g", "-n", "1", "-c", str(folder / "named.conf")]
    with _running("BIND", [*command, "-p"], folder) as server:
        yield server


@contextlib.contextmanager
def file_server(folder: Path, zone: str, text: str) -> Iterator[DnsServer]:
    """Run BIND's named with a zone whose file others write: `DnsServer.load`."""
    named = program("named", "BIND")
    (folder / "zone").write_text(text)
    (folder / "named.conf").write_text(
        f"""options {{ directory "{folder}"; pid-file "{folder}/pid"; recursion no;
  listen-on-v6 {{ none; }}; session-keyfile "{folder}/session"; dnssec-validation no; notify no; }};
controls {{ }};
zone "{zone}" {{ type primary; file "{folder}/zone"; }};
"""
    )
    command = [named, "-g", "-n", "1", "-c", str(folder / "named.conf")]
    with _running("BIND", [*command, "-p"], folder, zone=zone) as server:
        yield server


@contextlib.contextmanager
def knot(folder: Path) -> Iterator[DnsServer]:
    """Run Knot's knotd."""
    knotd = program("knotd", "Knot")

    def configure(port: int) -> None:
        (folder / "zone").write_text(zone_text())
        (folder / "knot.conf").write_text(
            f"""server:
    rundir: "{folder}"
    listen: {HOST}@{port}
    background-workers: 1
    tcp-workers: 1
    udp-workers: 1
database:
    storage: "{folder}"
key:
  - id: {KEY_NAME}
    algorithm: hmac-sha256
    secret: {SECRET}
acl:
  - id: fleet
    key: {KEY_NAME}
    action: [update, transfer]
zone:
  - domain: {ZONE}
    storage: "{folder}"
    file: zone
    acl: fleet
"""
        )

    command = [knotd, "-c", str(folder / "knot.conf")]
    with _running("Knot", command, folder, configure) as server:
        yield server


@contextlib.contextmanager
def powerdns(folder: Path, *, api: int = 0, empty: bool = False) -> Iterator[DnsServer]:
    """Run PowerDNS's pdns_server on SQLite; with a port, its HTTP API too (key: `SECRET`).

    An `empty` zone has no TXT records of others.
    """
    pdns = program("pdns_server", "PowerDNS")
    schema = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")
    if not schema.is_file():
        pytest.skip("needs PowerDNS")
    database = folder / "pdns.sqlite3"
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.executescript(schema.read_text())
        connection.execute("INSERT INTO domains (id, name, type) VALUES (1, ?, 'NATIVE')", (ZONE,))
        rows = [
            (ZONE, "SOA", f"ns1.{ZONE} hostmaster.{ZONE} 1 3600 600 86400 60"),
            (ZONE, "NS", f"ns1.{ZONE}"),
            (f"ns1.{ZONE}", "A", HOST),
        ]
        if not empty:
            rows += [
                (f"nodes.{ZONE}", "TXT", f'"{SPF}"'),
                (f"other.{ZONE}", "TXT", '"somebody else\'s"'),
            ]
        connection.executemany(
            "INSERT INTO records (domain_id, name, type, content, ttl, auth)"
            " VALUES (1, ?, ?, ?, 3600, 1)",
            rows,
        )
        connection.execute(
            "INSERT INTO tsigkeys (name, algorithm, secret) VALUES (?, 'hmac-sha256', ?)",
            (KEY_NAME, SECRET),
        )
        for kind in ("TSIG-ALLOW-DNSUPDATE", "TSIG-ALLOW-AXFR"):
            connection.execute(
                "INSERT INTO domainmetadata (domain_id, kind, content) VALUES (1, ?, ?)",
                (kind, KEY_NAME),
            )
    command = [
        pdns,
        f"--config-dir={folder}",
        f"--socket-dir={folder}",
        "--daemon=no",
        "--guardian=no",
        "--launch=gsqlite3",
        f"--gsqlite3-database={database}",
        "--dnsupdate=yes",
        "--allow-dnsupdate-from=127.0.0.0/8",
        "--allow-axfr-ips=",
        "--zone-cache-refresh-interval=0",
        "--receiver-threads=1",
        "--distributor-threads=1",
        "--retrieval-threads=1",
        "--security-poll-suffix=",
        f"--local-address={HOST}",
    ]
    if api:
        command += ["--api=yes", f"--api-key={SECRET}", "--webserver=yes"]
        command += [f"--webserver-address={HOST}", f"--webserver-port={api}"]
    with _running("PowerDNS", [*command, "--local-port="], folder) as server:
        yield server


SERVERS: dict[str, Callable[[Path], contextlib.AbstractContextManager[DnsServer]]] = {
    "BIND": bind,
    "Knot": knot,
    "PowerDNS": powerdns,
}


@contextlib.contextmanager
def _running(
    kind: str,
    command: list[str],
    folder: Path,
    configure: Callable[[int], None] | None = None,
    *,
    zone: str = ZONE,
) -> Iterator[DnsServer]:
    """Run a server on a free port: written by `configure`, else put after the last argument."""
    port = free_port()
    if configure is not None:
        configure(port)
    elif command[-1].endswith("="):
        command = [*command[:-1], f"{command[-1]}{port}"]
    else:
        command = [*command, str(port)]
    log = folder / "log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=folder
        )
    server = DnsServer(kind, port, folder, child)
    try:
        _wait(server, log, zone)
        yield server
    finally:
        child.kill()
        child.wait()


def _wait(server: DnsServer, log: Path, zone: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    query = dns.message.make_query(zone, "SOA")
    while time.monotonic() < deadline and server.child.poll() is None:
        with contextlib.suppress(OSError, EOFError, dns.exception.DNSException):
            if dns.query.tcp(query, HOST, 1, server.port).rcode() == dns.rcode.NOERROR:
                return
        time.sleep(0.05)
    pytest.fail(f"{server.kind} did not start:\n{log.read_text(errors='replace')[-2000:]}")
