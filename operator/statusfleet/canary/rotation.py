"""Which members a run of the canary goes through. Pure.

A message is posted through one relayer and awaited at another; the pair moves on from run to run,
so that after n·(n-1) runs each of n relayers has given to each other one. Every mailserver is asked
in every run. What a fleet lacks is left out:

* no relayer: mailservers relay too, so they take the relayers' part;
* one relayer: it is also where the message is awaited, by a second connection with a key of its
  own, since a node never sends an envelope back to where it came from.
"""

from __future__ import annotations

from dataclasses import dataclass

from statusfleet.canary.config import CanaryConfig, Target


@dataclass(frozen=True, slots=True)
class Route:
    """The members of one run."""

    post: Target
    receive: Target
    mailservers: tuple[Target, ...]

    @property
    def echoes(self) -> bool:
        """Whether the message is awaited where it was posted."""
        return self.post == self.receive


def route(config: CanaryConfig, run: int) -> Route | None:
    """Return the members of the run with this number (0, 1, …); None if there are none to ask."""
    carriers = config.relayers or config.mailservers
    if not carriers:
        return None
    count = len(carriers)
    step = 1 + run // count % (count - 1) if count > 1 else 0
    post = carriers[run % count]
    return Route(post, carriers[(run + step) % count], config.mailservers)
