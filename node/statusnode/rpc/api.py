"""Which namespaces a node has."""

from __future__ import annotations

from statusnode.rpc.admin import Endpoints, admin
from statusnode.rpc.backend import Backend
from statusnode.rpc.dispatch import Namespace
from statusnode.rpc.waku import waku
from statusnode.rpc.wakuext import wakuext
from statusnode.rpc.web3 import web3


def build(backend: Backend, endpoints: Endpoints) -> list[Namespace]:
    """Make every namespace; `rpc` is each transport's own."""
    namespaces = [admin(backend, endpoints), web3(backend)]
    if backend.messaging is not None:
        namespaces.append(waku(backend.messaging, backend.now))
        namespaces.append(wakuext(backend.messaging, backend.key, backend.now))
    return namespaces
