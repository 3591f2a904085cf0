from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fleet_fakes import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    result = Stage(tmp_path / "data")
    yield result
    result.store.close()
