"""A program that archives as fast as it can and says after each commit how much it has counted.

Run with a folder; it goes on until it is killed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from statusnode.mailserver.process import ProcessArchive
from statusnode.mailserver.server import MailServer, MailSettings
from statusnode.mailserver.sqlite import FILE_NAME
from statusnode.messages.envelope import Envelope

_SENT = 1_700_000_000


async def main(folder: Path) -> None:
    archive = ProcessArchive(folder / FILE_NAME)
    server = MailServer(MailSettings("password"), archive, lambda: _SENT)
    await server.start()
    number = counted = 0
    while True:
        for _ in range(50):
            number += 1
            sent = _SENT + number // 1000
            topic = (number % 1000).to_bytes(4, "big")
            server.archive(Envelope.build(sent + 20, 20, topic, bytes(200), number))
        await asyncio.sleep(0.001)
        if server.counters.archived > counted:
            counted = server.counters.archived
            print(counted, flush=True)  # noqa: T201 - its whole purpose


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
