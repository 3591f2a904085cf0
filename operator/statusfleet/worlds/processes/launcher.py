"""Run a module in a process that cannot outlive the one that started it.

`python -m statusfleet.worlds.processes.launcher PARENT_PID MODULE [ARGUMENT]…` asks Linux for
SIGKILL at the parent's death (prctl(2), PR_SET_PDEATHSIG), then becomes MODULE. It is done here,
at the child's start, and not between fork and exec in the parent: no Python code may safely run
there. The parent may have died before the request was made; then nobody would ever send the
signal, hence the look at the parent's id afterwards.

SIGKILL and not SIGTERM, because a member must be able to lose its power at any moment anyway, and
because nobody would be left to insist. Linux only: other systems have no such request.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_ORPHANED: Final = 1


def die_with_parent(parent_pid: int) -> bool:
    """Bind this process to `parent_pid`; False means that the parent is already gone.

    Raises:
        OSError: the kernel refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl(PR_SET_PDEATHSIG): {os.strerror(error)}")
    return os.getppid() == parent_pid


def main() -> None:
    """Bind this process to its parent and run the module that the arguments name."""
    parent_pid, module, *arguments = sys.argv[1:]
    if not die_with_parent(int(parent_pid)):
        sys.exit(_ORPHANED)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
