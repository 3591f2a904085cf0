"""Folders that may not be written, keys and archives that are not what they should be."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from support.fleet_up import PATIENCE_SECONDS
from support.statusd_process import ISOLATED, STATUSD

MAIL = {"Enabled": True, "EnableMailServer": True, "MailServerPassword": "secret-of-this-test"}
UP = (sys.executable, "-m", "statusfleet.cli.main", "up")


async def ends(*command: str) -> tuple[int, str]:
    """Run a program that minds the modes of files even as root; return its code and all it says."""
    if os.geteuid() == 0:
        command = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", *command)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def node_ends(folder: Path, **settings: Any) -> tuple[int, str]:
    """Run a node that should not start."""
    config = folder / "config.json"
    config.write_text(json.dumps(ISOLATED | settings))
    flags = ("-fleet", "", "-dir", str(folder / "data"), "-addr", "127.0.0.1:0", "-c", str(config))
    return await ends(STATUSD, *flags)


def is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


@pytest.fixture
def read_only(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o555)
    return folder


async def test_a_node_refuses_a_data_folder_that_it_may_not_write(read_only: Path) -> None:
    code, output = await node_ends(read_only.parent)
    assert code == 1
    assert f"{read_only}" in output
    assert "permission denied" in output
    assert is_empty(read_only)


async def test_a_node_refuses_its_own_folder_if_it_may_not_write_it(tmp_path: Path) -> None:
    own = tmp_path / "data" / "Statusd"
    own.mkdir(parents=True)
    own.chmod(0o555)
    code, output = await node_ends(tmp_path)
    assert code == 1
    assert f"{own} cannot be written" in output


async def test_a_mailserver_refuses_an_archive_folder_that_it_may_not_write(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data" / "waku"
    folder.mkdir(parents=True)
    folder.chmod(0o555)
    code, output = await node_ends(tmp_path, WakuConfig=MAIL)
    assert code == 1
    assert str(folder) in output
    assert "unable to open database file" in output


async def test_a_log_file_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir(mode=0o555)
    code, output = await node_ends(tmp_path, LogFile=str(folder / "node.log"))
    assert code == 1
    assert "node.log cannot be written: Permission denied" in output


async def test_a_key_file_that_may_not_be_read_is_refused_and_left_alone(tmp_path: Path) -> None:
    key = tmp_path / "data" / "Statusd" / "nodekey"
    key.parent.mkdir(parents=True)
    key.write_text("11" * 32)
    key.chmod(0o000)
    code, output = await node_ends(tmp_path)
    key.chmod(0o600)
    assert code == 1
    assert "permission denied" in output
    assert key.read_text() == "11" * 32


async def test_a_mailserver_refuses_the_archive_of_a_newer_version(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "waku"
    folder.mkdir(parents=True)
    newer = sqlite3.connect(folder / "archive.sqlite")
    newer.execute("CREATE TABLE later (x)")
    newer.execute(f"PRAGMA application_id = {0x53466D61}")
    newer.execute("PRAGMA user_version = 99")
    newer.commit()
    newer.close()
    before = (folder / "archive.sqlite").read_bytes()
    code, output = await node_ends(tmp_path, WakuConfig=MAIL)
    assert code == 1
    assert "newer version" in output
    assert (folder / "archive.sqlite").read_bytes() == before


async def test_up_refuses_a_data_folder_that_it_may_not_write(file: Path, read_only: Path) -> None:
    code, output = await ends(*UP, str(file), "--data", str(read_only), "--output", "json")
    assert code == 1
    told = json.loads(output.splitlines()[0])
    assert told["event"] == "error"
    assert str(read_only) in told["message"]
    assert "Permission denied" in told["message"]
    assert is_empty(read_only)


async def test_up_refuses_to_make_its_data_folder_where_it_may_not(
    file: Path, read_only: Path
) -> None:
    code, output = await ends(*UP, str(file), "--data", str(read_only / "fleet"))
    assert code == 1
    assert "Permission denied" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("name", ["tree.key", "canary.key"])
async def test_up_names_a_corrupt_key_of_its_own_and_never_replaces_it(
    name: str, file: Path, data: Path
) -> None:
    key = data / name
    key.parent.mkdir()
    key.write_text("no key at all")
    code, output = await ends(
        *UP, str(file), "--data", str(data), "--check", "--timeout", "3", "--output", "json"
    )
    assert code == 1
    last = json.loads(output.splitlines()[-1])
    assert any(f"{name} holds no key" in text for text in last["missing"])
    assert key.read_text() == "no key at all"
