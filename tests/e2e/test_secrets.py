"""No key and no password leaves the files that are made for them, however much is logged."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from statusnode.crypto.keys import PrivateKey
from support.fleet_up import PATIENCE_SECONDS, children_of, manifest, up

pytestmark = pytest.mark.slow

PASSWORD = "open-sesame-4711"
ROLES = """\
  roles:
    relayer:
      replicas: 2
      members: [{ordinal: 0, nodeKeySecret: {name: secrets, key: nodekey}}]
      config: {LogLevel: TRACE}
    mailserver:
      replicas: 1
      password: {secretKeyRef: {name: secrets, key: password}}
      config: {LogLevel: TRACE}
"""
FOR_SECRETS = {"nodekey", "tree.key", "canary.key", "config.json", "canary.json"}
"""Files that may hold them, for their owner only."""


def with_secrets(node_key: str, tree_key: str) -> str:
    text = manifest()
    start, end = text.index("  roles:"), text.index("  tree:")
    text = text[:start] + ROLES + text[end:]
    signing = "tree: {signingKey: {secretKeyRef: {name: secrets, key: tree}}, "
    secret = f"""
        ---
        apiVersion: v1
        kind: Secret
        metadata: {{name: secrets}}
        stringData: {{nodekey: "{node_key}", tree: "{tree_key}", password: "{PASSWORD}"}}
    """
    return text.replace("tree: {", signing) + textwrap.dedent(secret)


async def output_of(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "statusfleet.cli.main", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    assert process.returncode == 0, out
    return out.decode()


async def test_no_secret_shows_in_logs_output_command_lines_or_state(tmp_path: Path) -> None:
    keys = [PrivateKey.generate().data for _ in range(2)]
    file, data = tmp_path / "fleet.yaml", tmp_path / "data"
    file.write_text(with_secrets(keys[0].hex(), keys[1].hex()))
    seen: dict[str, str] = {}
    async with up(file, data) as fleet:
        await fleet.whole()
        for command in (("status",), ("status", "--output", "json"), ("logs", "relayer-0")):
            seen[" ".join(command)] = await output_of(*command, "--data", str(data))
        seen["diff"] = await output_of("diff", str(file), "--data", str(data))
        for process in children_of(data):
            with contextlib.suppress(psutil.NoSuchProcess):
                words = process.cmdline() + [f"{k}={v}" for k, v in process.environ().items()]
                seen[f"process {process.pid}"] = " ".join(words)
        assert await fleet.stop() == 0
    seen["output"] = "\n".join(map(str, fleet.events))
    seen["errors"] = fleet.errors.decode()
    made = [PrivateKey.from_hex(path.read_text().strip()).data for path in data.rglob("nodekey")]
    made.append(PrivateKey.from_hex((data / "canary.key").read_text().strip()).data)
    for path in data.rglob("*"):
        if path.is_file():
            if path.name in FOR_SECRETS:
                assert path.stat().st_mode & 0o077 == 0, path
            else:
                seen[str(path)] = path.read_bytes().decode("latin-1")
    assert any("lvl=trce" in text or "lvl=dbug" in text for text in seen.values())
    secrets = [PASSWORD, base64.b64encode(PASSWORD.encode()).decode()]
    for key in [*keys, *made]:
        secrets += [key.hex(), key.hex().upper(), base64.b64encode(key).decode()]
    leaks = [place for place, text in seen.items() if any(secret in text for secret in secrets)]
    assert leaks == []
