"""The relay alone, without sockets or frames: CPU microseconds an envelope.

`python bench/relay_core.py [--profile]`: packets of ten envelopes of 300 bytes are fed to a relay
in process; what it would send is counted and thrown away. For work on the hot path; what users feel
is what bench/relay.py measures.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import time
from dataclasses import dataclass

from statusnode.codec import rlp
from statusnode.crypto.keys import PrivateKey, PublicKey
from statusnode.devp2p.protocol import DisconnectReason, PacketHandler
from statusnode.messages.envelope import Envelope
from statusnode.relay.flush import LONGEST
from statusnode.relay.host import RelayHost
from statusnode.relay.packets import PacketCode
from statusnode.relay.settings import RelaySettings
from statusnode.relay.status import WAKU_1, StatusOptions

ENVELOPES = 50_000
BATCH = 10
SIZE = 300
TTL = 60
RECEIVERS = (1, 5, 10, 50)


@dataclass
class Sink:
    """A peer that takes everything."""

    public_key: PublicKey
    client_name: str = "Sink/v1.0.0/none/none"
    remote_address: tuple[str, int] = ("127.0.0.1", 1)
    inbound: bool = True
    trusted: bool = False
    compresses: bool = True
    write_backlog: int = 0

    def send(self, code: int, payload: bytes, compressed: bytes | None = None) -> None:
        """Throw away."""

    def disconnect(self, reason: DisconnectReason) -> None:
        """Never called."""

    def pause_reading(self) -> None:
        """Never called."""

    def resume_reading(self) -> None:
        """Never called."""


def packets() -> list[bytes]:
    """Make what is fed."""
    expiry = int(time.time()) + TTL
    return [
        rlp.encode_list(
            [
                Envelope.build(expiry, TTL, os.urandom(4), os.urandom(SIZE), nonce).raw
                for nonce in range(first, first + BATCH)
            ]
        )
        for first in range(0, ENVELOPES, BATCH)
    ]


def connect(host: RelayHost) -> PacketHandler:
    """Bring up a peer that wants everything."""
    handler = host.subprotocols()[1].peer_connected(Sink(PrivateKey.generate().public_key))
    handler.packet_received(PacketCode.STATUS, WAKU_1.encode_status(StatusOptions(0.0)))
    return handler


async def measure(receivers: int, profile: cProfile.Profile | None) -> float:
    """Return microseconds an envelope."""
    host = RelayHost(RelaySettings(), time.time)
    for _ in range(receivers):
        connect(host)
    sender = connect(host)
    feed = packets()
    await asyncio.sleep(0.01)
    if profile is not None:
        profile.enable()
    started = time.process_time()
    for packet in feed:
        sender.packet_received(PacketCode.MESSAGES, packet)
        await asyncio.sleep(0)
    await asyncio.sleep(2 * LONGEST)
    used = time.process_time() - started
    if profile is not None:
        profile.disable()
    if host.counters.envelopes_sent != receivers * ENVELOPES:
        raise AssertionError("not every envelope was sent to every receiver")
    return used / ENVELOPES * 1e6


def main() -> None:
    """Measure, or profile five receivers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--profile", action="store_true")
    if parser.parse_args().profile:
        profile = cProfile.Profile()
        asyncio.run(measure(5, profile))
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return
    figures = {receivers: asyncio.run(measure(receivers, None)) for receivers in RECEIVERS}
    for receivers, figure in figures.items():
        print(f"1 to {receivers:<3} {figure:8.2f} µs/envelope")
    print(json.dumps({"relay_core_us_per_envelope": figures}))


if __name__ == "__main__":
    main()
