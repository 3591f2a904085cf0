"""The zone of a tree as a master file, judged by dnspython and by BIND."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import dns.rdatatype
import dns.zone
import pytest

from statusfleet.tree.publication import Publication
from statusfleet.tree.zone import Zone, ZoneSettings, split_text
from statusnode.records.tree import Link
from support.records import DOMAIN, TREE_KEY, vector_tree

LINK = Link(TREE_KEY.public_key, "other.example.org")
SIGNED = vector_tree(20, links=(LINK,))


def test_a_parser_of_zones_reads_the_tree_back() -> None:
    text = Zone.of(SIGNED, ZoneSettings(DOMAIN, nameservers=("ns1.example.net",))).to_text()

    zone = dns.zone.from_text(text, origin=DOMAIN, relativize=False)

    found = {
        name.to_text(omit_final_dot=True): b"".join(rdata.strings).decode()
        for name, _, rdata in zone.iterate_rdatas(dns.rdatatype.TXT)
    }
    assert found == SIGNED.records()
    soa = zone.get_soa()
    assert (soa.serial, soa.minimum) == (7, 60)


def test_root_and_entries_have_their_own_times_to_live() -> None:
    zone = Zone.of(SIGNED, ZoneSettings(DOMAIN, root_ttl_seconds=1, entry_ttl_seconds=99))

    lines = [line for line in zone.to_text().splitlines() if " IN TXT " in line]

    assert lines[0].startswith("@ 1 IN TXT ")
    assert all(line.split()[1] == "99" for line in lines[1:])


def test_a_zone_of_another_domain_is_refused() -> None:
    with pytest.raises(ValueError, match=r"nodes\.example\.org in a zone of example\.org"):
        Zone.of(Publication(SIGNED), ZoneSettings("example.org"))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 404, 511])
def test_strings_have_at_most_255_characters(size: int) -> None:
    text = "x" * size

    parts = split_text(text)

    assert "".join(parts) == text
    assert all(len(part) <= 255 for part in parts)
    assert len(parts) == max(1, -(-size // 255))


def test_a_serial_wraps_as_serials_do() -> None:
    assert Zone.of(vector_tree(1, seq=2**32 + 5), ZoneSettings(DOMAIN)).serial == 5


def test_bind_accepts_the_zone(tmp_path: Path) -> None:
    named_checkzone = shutil.which("named-checkzone", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if named_checkzone is None:
        pytest.skip("needs named-checkzone (Debian: bind9-utils)")
    path = tmp_path / "tree.zone"
    path.write_text(Zone.of(SIGNED, ZoneSettings(DOMAIN)).to_text())

    checked = subprocess.run(
        [named_checkzone, "-i", "local", DOMAIN, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout
    assert "loaded serial 7" in checked.stdout
    assert "warning" not in checked.stdout.lower()
