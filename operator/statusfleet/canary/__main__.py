"""`python -m statusfleet.canary CONFIG.json`: runs for ever, one line of JSON a run.

The configuration is read again before each run, and a change of it starts the next run at once.
Ends with 0 when it is told to (SIGTERM, SIGINT); with 1 where the configuration cannot be used, and
with 2 where none is named.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Final

from statusfleet.canary.config import CanaryConfigError, load
from statusfleet.canary.mail import MailKey, Tools
from statusfleet.canary.run import run
from statusnode.messages.mining import Miner

_LOOK_SECONDS: Final = 0.2


async def _until_told_to_end(path: Path) -> None:
    """Run until SIGTERM or SIGINT; what runs then is not waited for."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(_run_for_ever(path))
        await told.wait()
        running.cancel()


async def _run_for_ever(path: Path) -> None:
    loop = asyncio.get_running_loop()
    miner = Miner()
    tools = Tools(miner, MailKey(), time.time)
    number = 0
    try:
        while True:
            stamp = _stamp(path)
            config = load(path)
            due = loop.time() + config.interval_seconds
            verdict = await run(config, number, tools)
            print(verdict.to_json(), flush=True)  # noqa: T201 - its whole output
            number += 1
            while (left := due - loop.time()) > 0 and _stamp(path) == stamp:  # noqa: ASYNC110
                await asyncio.sleep(min(_LOOK_SECONDS, left))
    finally:
        await miner.close()


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns


def main() -> None:
    """Run the canary until it is ended."""
    if len(sys.argv) != 2:
        print("usage: python -m statusfleet.canary CONFIG.json", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    try:
        asyncio.run(_until_told_to_end(Path(sys.argv[1])))
    except* CanaryConfigError as errors:
        for error in errors.exceptions:
            print(f"canary: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


if __name__ == "__main__":
    main()
