"""kill -9 at any moment loses no envelope that was counted as archived."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from statusnode.mailserver.sqlite import FILE_NAME, SqliteArchive
from support import mailserver_archiver


@pytest.mark.parametrize("victims", ["everything", "the node alone"])
@pytest.mark.parametrize("commits", [1, 4])
def test_what_was_counted_is_there_after_kill_9(tmp_path: Path, victims: str, commits: int) -> None:
    program = subprocess.Popen(
        [sys.executable, mailserver_archiver.__file__, str(tmp_path)],
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(mailserver_archiver.__file__).parents[1])},
    )
    assert program.stdout is not None
    with program.stdout:
        counted = [program.stdout.readline() for _ in range(commits)]
        if victims == "everything":
            os.killpg(program.pid, signal.SIGKILL)
        else:
            program.kill()
        # What was printed before the end still is in the pipe.
        counted += program.stdout.readlines()
    program.wait()
    last = max(int(line) for line in counted if line.endswith(b"\n"))
    assert last > 0

    archive = SqliteArchive(tmp_path / FILE_NAME)
    # A worker that outlives its parent commits what it has, then goes: this waits for its lock.
    kept = archive.open()
    archive.check()
    archive.close()
    assert kept >= last
