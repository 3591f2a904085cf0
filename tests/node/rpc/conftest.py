from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from statusnode.crypto.keys import PrivateKey
from support.rpc_client import HttpCaller, http_caller
from support.rpc_node import RpcNode, rpc_node

NODE_KEY = PrivateKey(b"\x11" * 32)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[RpcNode]:
    """A node of its own for the test."""
    async with rpc_node(tmp_path, key=NODE_KEY) as running:
        yield running


@pytest.fixture
async def call(node: RpcNode) -> AsyncIterator[HttpCaller]:
    """A caller of that node, over HTTP."""
    async with http_caller(node.http_port) as caller:
        yield caller
