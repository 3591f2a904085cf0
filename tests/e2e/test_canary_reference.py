"""The canary against the reference: a fleet of status-go's own `statusd` is proven like ours.

canary ──► theirs (relayer-0) ◄──► theirs (mailserver-0) ◄──► theirs (relayer-1) ──► canary
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from support.reference_scene import (
    FULL_NODE,
    MAIL_PASSWORD,
    MAILSERVER,
    Scene,
    needs_reference,
    scene,
)

pytestmark = needs_reference()

PATIENCE_SECONDS = 60.0


async def verdict(stage: Scene, config: dict[str, Any]) -> dict[str, Any]:
    """Run the canary in the scene until its first line."""
    path = stage.folder / "canary.json"
    path.write_text(json.dumps(config))
    canary = await asyncio.create_subprocess_exec(
        *stage.loopback.inside(sys.executable, "-m", "statusfleet.canary", str(path)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert canary.stdout is not None
    try:
        line = await asyncio.wait_for(canary.stdout.readline(), PATIENCE_SECONDS)
    finally:
        canary.kill()
        await canary.communicate()
    found: dict[str, Any] = json.loads(line)
    return found


async def test_a_fleet_of_the_reference_is_proven(tmp_path: Path) -> None:
    async with scene(tmp_path) as stage:
        mail, *relayers = await asyncio.gather(
            stage.theirs("mailserver-0", WakuConfig=MAILSERVER),
            stage.theirs("relayer-0", WakuConfig=FULL_NODE),
            stage.theirs("relayer-1", WakuConfig=FULL_NODE),
        )
        for relayer in relayers:  # one after the other: both ask the mailserver whether it worked
            await relayer.dial(mail)
        config = {
            "nodeKey": "11" * 32,
            "relayers": [{"name": p.name, "enode": p.enode} for p in relayers],
            "mailservers": [{"name": mail.name, "enode": mail.enode}],
            "intervalSeconds": 60.0,
            "timeoutSeconds": 30.0,
            "mailPassword": MAIL_PASSWORD,
        }
        proven = await verdict(stage, config)
        assert proven["failures"] == []
        assert [leg["leg"] for leg in proven["legs"]] == [
            *("connect", "connect", "connect"),
            *("post", "receive", "fetch"),
        ]
        refused = await verdict(stage, config | {"mailPassword": "wrong"})
        assert refused["failures"] == [
            "fetching from mailserver-0: the mailserver says: failed to decrypt p2p request"
        ]
