"""What becomes of a command whose output nobody takes: a full disk, a reader that has gone."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

_FAILED: Final = 1


@contextmanager
def writing() -> Iterator[None]:
    """End with exit code 1, and a line that says why, where standard output cannot be written.

    Without the line where the reader has only seen enough, such as `head`.
    """
    if sys.stdout is None:
        _end("standard output is closed")
    try:
        yield
    except OSError as error:
        _complain(error)
    except ExceptionGroup as group:  # of lines that several tasks write
        failed, others = group.split(OSError)
        if failed is None or others is not None:
            raise
        _complain(_first(failed))


def _first(group: ExceptionGroup[OSError]) -> OSError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error


def _complain(error: OSError) -> NoReturn:
    """End with what kept standard output from being written; raise the error of any file."""
    if error.filename is not None:
        raise error
    # What is left to be flushed goes nowhere, and tells nothing of it.
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    _end("" if error.errno == errno.EPIPE else f"the output cannot be written: {error.strerror}")


def _end(why: str) -> NoReturn:
    if why:
        sys.stderr.write(f"error: {why}\n")
    raise SystemExit(_FAILED)
