"""Whatever is asked of the real namespaces gets an answer, and the node goes on."""

from __future__ import annotations

import json
import random

from statusnode.rpc.api import build
from statusnode.rpc.dispatch import Dispatcher
from statusnode.rpc.message import parse
from support.rpc_node import RpcNode

ROUNDS = 40
# Opening ports and closing them is for other tests.
LEFT_OUT = {"startRPC", "stopRPC", "startWS", "stopWS"}
FIELDS = (
    *("symKeyID", "pubKey", "privateKeyID", "sig", "ttl", "topic", "topics", "payload", "padding"),
    *("powTarget", "powTime", "targetPeer", "minPow", "allowP2P", "mailServerPeer", "from", "to"),
    *("limit", "cursor", "timeout", "force", "BaseTimeout", "MaxRetries"),
)
# No positive integer: a time to mine must stay zero.
NUMBERS = (0, -1, 1.5, 1e300, -1e-300, 99999999999999999999999)


class Askers:
    """Makes parameters of all kinds, from ones that nearly fit to nonsense."""

    def __init__(self, node: RpcNode, seed: int) -> None:
        self.random = random.Random(seed)
        keys = node.messaging.keys
        self.texts = (
            *("", "0x", "0x00", "0x01020304", "0x" + "ff" * 64, "YQ==", "\ud800", "x" * 1000),
            *(keys.new_key_pair(), keys.new_symmetric_key(), str(node.server.self_enode)),
        )

    def value(self, depth: int = 0) -> object:
        kind = self.random.randrange(7 if depth < 3 else 4)
        match kind:
            case 0:
                return self.random.choice((None, True, False))
            case 1:
                return self.random.choice(NUMBERS)
            case 2 | 3:
                return self.random.choice(self.texts)
            case 4:
                return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
            case _:
                names = self.random.sample(FIELDS, self.random.randrange(len(FIELDS)))
                return {name: self.value(depth + 1) for name in names}

    def params(self) -> object:
        if self.random.random() < 0.1:
            return self.value()
        return [self.value() for _ in range(self.random.randrange(4))]


async def test_whatever_is_asked_is_answered(node: RpcNode) -> None:
    namespaces = build(node.backend, node.rpc)
    dispatcher, askers = Dispatcher(namespaces), Askers(node, 7)
    methods = [
        f"{space.name}_{name}"
        for space in namespaces
        for name in space.methods
        if name not in LEFT_OUT
    ]
    assert len(methods) > 30

    for method in methods * ROUNDS:
        request = {"id": 1, "method": method, "params": askers.params()}
        answer = await dispatcher.answer(parse(json.dumps(request).encode()), None)
        assert answer is not None
        assert ("result" in json.loads(answer)) != ("error" in json.loads(answer)), request
