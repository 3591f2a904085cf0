"""Ports for servers that must be told theirs before they start."""

from __future__ import annotations

import contextlib
import random
import socket

HOST = "127.0.0.1"
# Below what Linux gives to outgoing connections and Kubernetes to node ports: a port that is free
# when it is chosen is then still free when its server starts.
_PORTS = range(12_000, 30_000)


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free for UDP and TCP."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        with (
            contextlib.suppress(OSError),
            socket.socket() as tcp,
            socket.socket(type=socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind((HOST, port))
            udp.bind((HOST, port))
            return port
