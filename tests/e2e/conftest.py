"""A fleet of two relayers and a mailserver, and a folder for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.fleet_up import manifest


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write a manifest with short times."""
    path = tmp_path / "fleet.yaml"
    path.write_text(manifest())
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Name a data folder, which is not there yet."""
    return tmp_path / "data"
