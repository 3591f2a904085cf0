"""Builds the Go programs that tests talk to, once for all workers of a test run.

Programs land in `.build/go/` of the checkout; Go's own cache decides what to compile, so a second
run costs a fraction of a second. A first build may take minutes: mark tests that use one with
`@pytest.mark.timeout(900)`. Without Go a test is skipped; a build that fails is an error, since a
skip would hide it.
"""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

_BUILD = Path(__file__).parents[2] / ".build" / "go"


class GoBuildError(Exception):
    """A Go program that does not compile, or whose modules cannot be fetched."""


@functools.cache
def go_binary(module_dir: Path, name: str, package: str = ".") -> Path:
    """Build `package` as the go.mod of `module_dir` pins it, and return the program's path.

    `name` is the program's file name, and must be one program's alone. cgo is off, so that no C
    compiler is needed.

    Raises:
        GoBuildError: it does not build; the message holds the compiler's output.
    """
    go = shutil.which("go")
    if go is None:
        pytest.skip("needs Go")
    _BUILD.mkdir(parents=True, exist_ok=True)
    program = _BUILD / name
    with (_BUILD / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = subprocess.run(
            [go, "build", "-trimpath", "-buildvcs=false", "-o", str(program), package],
            cwd=module_dir,
            env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if built.returncode:
        raise GoBuildError(f"{name} in {module_dir} does not build:\n{built.stdout}")
    return program
