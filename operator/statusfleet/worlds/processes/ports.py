"""TCP ports of 127.0.0.1: choosing them once, holding them, and naming who else has one.

A port is held by a socket that is bound and never listens. Two fleets that start at the same
moment thus never choose the same port, while the member itself may bind and listen: Linux allows
that as long as both sockets set SO_REUSEADDR and only one listens (socket(7)). New ports are taken
below the range from which the kernel serves outgoing connections, so that a port that is kept in
the data folder is still free the next day.
"""

from __future__ import annotations

import contextlib
import errno
import random
import socket
from pathlib import Path
from typing import Final

from statusfleet.worlds.errors import WorldError
from statusfleet.worlds.processes.errors import PortTakenError

HOST: Final = "127.0.0.1"
_LOWEST: Final = 20_000
_EPHEMERAL: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_EPHEMERAL_DEFAULT: Final = 32_768
_ATTEMPTS: Final = 512


class PortHolder:
    """The ports of one fleet, held from the moment they are chosen until `close`."""

    def __init__(self) -> None:
        self._sockets: dict[int, socket.socket] = {}
        # Not secret: spread over the range, so that fleets seldom look at the same port.
        self._random = random.Random()  # noqa: S311
        self._above = _ephemeral_start()

    def choose(self) -> int:
        """Choose a free port and hold it.

        Raises:
            WorldError: no port of the range is free.
        """
        for _ in range(_ATTEMPTS):
            port = self._random.randrange(_LOWEST, self._above)
            if port in self._sockets:
                continue
            holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                holder.bind((HOST, port))
            except OSError:
                holder.close()
                continue
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._sockets[port] = holder
            return port
        raise WorldError(f"no free TCP port was found between {_LOWEST} and {self._above - 1}")

    def hold(self, port: int) -> None:
        """Hold a port that was chosen earlier; if somebody has it, leave that to `check`."""
        if port in self._sockets:
            return
        holder = _reusable_socket()
        try:
            holder.bind((HOST, port))
        except OSError:
            holder.close()
            return
        self._sockets[port] = holder

    def release(self, port: int) -> None:
        """Let a port go, its member is gone."""
        holder = self._sockets.pop(port, None)
        if holder is not None:
            holder.close()

    def close(self) -> None:
        """Let every port go."""
        for port in list(self._sockets):
            self.release(port)


def check(host: str, port: int) -> None:
    """Make sure that a member could listen on `port` of the loopback address `host` now.

    Raises:
        PortTakenError: another program listens there; it is named where the system tells.
    """
    with contextlib.closing(_reusable_socket()) as probe:
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortTakenError(port, _listener(port)) from error


def _reusable_socket() -> socket.socket:
    result = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    result.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return result


def _ephemeral_start() -> int:
    try:
        lowest = int(_EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        lowest = _EPHEMERAL_DEFAULT
    # A system that hands out nearly every port leaves nothing below; then luck has to do.
    return lowest if lowest >= _LOWEST + _ATTEMPTS else _EPHEMERAL_DEFAULT


def _listener(port: int) -> str:
    """Name the program that listens on `port`, or nothing where the system does not tell."""
    import psutil

    try:
        for connection in psutil.net_connections(kind="tcp"):
            local = connection.laddr
            if local and local.port == port and connection.status == psutil.CONN_LISTEN:
                if connection.pid is None:
                    return ""
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        return ""
    return ""
