"""Keeps the server's lists of nodes equal to those of the configuration, while it runs.

Only what the configuration named is ever taken away again: nodes that somebody added over RPC
stay.
"""

from __future__ import annotations

from dataclasses import replace

from statusnode.devp2p.server import Server
from statusnode.node.settings import Peers
from statusnode.records.enode import Enode


class Peering:
    """What the server has been told so far."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._known = Peers()

    def apply(self, peers: Peers) -> None:
        """Tell the server what is new, and what is no more."""
        fleet = {node.node_id for node in peers.fleet}
        # A node of the fleet is never a mere static one, whichever list names it too.
        static = tuple(node for node in peers.static if node.node_id not in fleet)
        old, self._known = self._known, replace(peers, static=static)
        kept = {node.node_id for node in (*static, *peers.fleet)}
        for node in (*old.static, *old.fleet):
            if node.node_id not in kept:
                self._server.remove_static(node)
        for node in _new(static, old.static):
            self._server.add_static(node)
        for node in _new(peers.fleet, old.fleet):
            self._server.add_static(node, fleet=True)
        trusted = {node.node_id for node in peers.trusted}
        for node in old.trusted:
            if node.node_id not in trusted:
                self._server.remove_trusted(node)
        for node in _new(peers.trusted, old.trusted):
            self._server.add_trusted(node)


def _new(wanted: tuple[Enode, ...], known: tuple[Enode, ...]) -> list[Enode]:
    """Return the nodes that are not known, or known under another address."""
    return [node for node in wanted if node not in known]
