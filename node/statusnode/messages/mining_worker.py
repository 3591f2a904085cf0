"""The search for a proof of work, and the program that runs it in a process of its own.

The proof of an envelope is the number of leading zero bits in keccak256(header ‖ nonce), the header
being the RLP of its first four fields, the nonce 8 bytes big-endian (Waku VAC-6, "PoW
Requirement"). Nonces are tried from 0 upwards and the first best one is kept, so that the same
envelope gets the same nonce as from status-go.

`mining` starts this module as a program. It reads one job after another from its standard input
and answers on its standard output. It never outlives its parent, even one that was killed: its
input ends then, and it looks at that between slices of work.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import sys
import time
from typing import BinaryIO, Final

from statusnode.crypto.keccak import keccak_state

# Header size, target bits (0: none, find the best), time limit in milliseconds; the header follows.
REQUEST: Final = struct.Struct(">IIQ")
# Nonce, its bits.
REPLY: Final = struct.Struct(">QI")
# The slice between two looks at the clock: about a millisecond.
SLICE: Final = 1024
# The relay comes first where there is one core for both.
_NICENESS: Final = 10


class Search:
    """The nonces of one envelope, tried in order; `nonce` is the best so far, of `bits` bits."""

    def __init__(self, header: bytes, target_bits: int) -> None:
        """Prepare to search; a target of 0 means as many bits as there is time for."""
        # The header is absorbed once: a nonce costs one permutation, however long the data is.
        self._state = keccak_state(header)
        self._target_bits = target_bits
        self._next = 0
        self.nonce = 0
        self.bits = 0

    @property
    def reached(self) -> bool:
        """Whether there was a target and the best nonce meets it."""
        return 0 < self._target_bits <= self.bits

    def run(self, count: int = SLICE) -> bool:
        """Try the next `count` nonces, fewer if one meets the target; tell whether one did."""
        copy = self._state.copy
        better = _ceiling(self.bits + 1)
        first = self._next
        self._next += count
        for nonce in range(first, self._next):
            state = copy()
            state.update(nonce.to_bytes(8, "big"))
            digest = state.digest()
            if digest < better:
                self.nonce = nonce
                self.bits = 256 - int.from_bytes(digest, "big").bit_length()
                if self.reached:
                    return True
                better = _ceiling(self.bits + 1)
        return False


def _ceiling(bits: int) -> bytes:
    """The digests with at least `bits` leading zero bits are those below it."""
    return (1 << max(0, 256 - bits)).to_bytes(32, "big")


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Do jobs until the input ends."""
    while len(head := source.read(REQUEST.size)) == REQUEST.size:
        header_size, target_bits, limit_ms = REQUEST.unpack(head)
        search = Search(source.read(header_size), target_bits)
        deadline = time.monotonic() + limit_ms / 1000
        while time.monotonic() < deadline and not search.run():
            # No second job comes before the first is answered: what can be read is the end.
            if select.select([source], [], [], 0)[0]:
                return
        sink.write(REPLY.pack(search.nonce, search.bits))
        sink.flush()


def main() -> None:
    """Run as a program: the parent decides when it ends, not Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
