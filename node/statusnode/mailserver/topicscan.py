"""Which topics can pass a bloom filter at all, so that an index of topics is searched by leaps.

Each of a topic's first three bytes b sets a bit in byte b//8 of its filter, or in byte 32 + b//8,
whichever the fourth byte says (`messages.topic`). So a filter lets a topic through only if for each
of the three one of those two bytes is not zero: for the filter of one chat at most 24 values of 256
at each place, one topic in a thousand. A scan that asks for the next archived topic from the next
*candidate* on sees few others.
"""

from __future__ import annotations

from typing import Final

from statusnode.messages.topic import TOPIC_SIZE

_PLACES: Final = 3
_HALF: Final = 32


class CandidateTopics:
    """The topics, as numbers in big-endian order, that may pass one bloom filter.

    There are false ones among them: whoever uses this checks each topic by itself.
    """

    def __init__(self, bloom: bytes) -> None:
        """Look at a filter of 64 bytes."""
        # For each byte value the least one from it on that may stand at a place; 256: none.
        self._next = [256] * 257
        for value in reversed(range(256)):
            possible = bloom[value // 8] or bloom[_HALF + value // 8]
            self._next[value] = value if possible else self._next[value + 1]

    def at_or_after(self, topic: int) -> int | None:
        """Return the first candidate that is not below `topic`; None: there is none."""
        if topic >> 8 * TOPIC_SIZE:
            return None
        wanted = list(topic.to_bytes(TOPIC_SIZE, "big"))
        place = 0
        while place < _PLACES:
            value = self._next[wanted[place]]
            if value == 256:
                # Carry: the place before has to grow, and all from here on start again.
                if place == 0:
                    return None
                wanted[place:] = [0] * (TOPIC_SIZE - place)
                place -= 1
                wanted[place] += 1
                continue
            if value != wanted[place]:
                wanted[place] = value
                wanted[place + 1 :] = [0] * (TOPIC_SIZE - place - 1)
            place += 1
        return int.from_bytes(wanted, "big")
