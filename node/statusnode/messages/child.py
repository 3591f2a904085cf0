"""How the node starts a program of its own as a child that it talks to through two pipes.

For the miner and for the mailserver's archive. Nothing here decides when a child ends.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable


async def start_child(keep: Callable[[Process], None], module: str, *arguments: str) -> Process:
    """Run a module in an interpreter of its own; hand the process to `keep`, and return it.

    A start, once begun, is finished: where the caller is cancelled meanwhile, `keep` is called all
    the same and then the cancellation is raised. uvloop would leave behind a process, running,
    that nobody knows of.

    Raises:
        OSError: it cannot start.
    """
    # -P: a file in the working folder must not take the place of a module.
    command = (sys.executable, "-P", "-m", module, *arguments)
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    )

    def hand_over(started: asyncio.Future[Process]) -> None:
        if not started.cancelled() and started.exception() is None:
            keep(started.result())

    starting.add_done_callback(hand_over)
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # Cancelled once more here, the caller is gone before the child is there.
        await asyncio.wait({starting})
        raise
