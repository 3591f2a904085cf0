"""A part that fails while the node runs ends the node, with a reason and a code."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from statusnode.config.load import Sources, load
from statusnode.mailserver.writer import ArchiveWriter
from statusnode.node import run as run_module
from statusnode.node.node import Node, Options
from statusnode.node.run import Run, run_node
from statusnode.node.watch import Watch


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    sources = Sources(data_dir=str(tmp_path), listen_addr="127.0.0.1:0")
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers.clear()
    yield Run(sources, load(sources), Watch(()), Options())
    root.handlers[:] = handlers
    root.setLevel(level)
    for number, handler in before.items():
        signal.signal(number, handler)


class Broken(Node):
    async def run(self) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("a part broke")


def test_a_part_that_breaks_ends_the_node(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_module, "Node", Broken)
    assert run_node(run) == 1
    errors = capsys.readouterr().err
    assert 'lvl=crit msg="Node failed"' in errors
    assert "a part broke" in errors


def test_a_mailserver_that_breaks_ends_the_node(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail(_: ArchiveWriter) -> None:
        raise RuntimeError("the writer broke")

    monkeypatch.setattr(ArchiveWriter, "run", fail)
    file = tmp_path / "mail.json"
    waku = {"Enabled": True, "EnableMailServer": True, "MailServerPassword": "x"}
    file.write_text(json.dumps({"WakuConfig": waku}))
    sources = replace(run.sources, files=(file,))
    assert run_node(replace(run, sources=sources, loaded=load(sources))) == 1
    errors = capsys.readouterr().err
    assert 'lvl=crit msg="Node failed"' in errors
    assert "the writer broke" in errors
