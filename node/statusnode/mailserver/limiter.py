"""How often one peer may ask: one request in so many seconds.

Only an accepted request starts the window anew; a refused one does not prolong it (status-go's
rule). Memory: one entry for each peer that was answered within the last window.
"""

from __future__ import annotations


class RequestLimiter:
    """Remembers whom it let ask, and when."""

    def __init__(self, window_seconds: float) -> None:
        """Let each peer ask once in `window_seconds`; 0: as often as it likes."""
        self.window_seconds = window_seconds
        # In the order of acceptance, so that what has passed stands at the front.
        self._accepted: dict[bytes, float] = {}

    def accepts(self, node_id: bytes, now: float) -> bool:
        """Tell whether a peer may ask now; if so, its window starts. `now` is in seconds."""
        if self.window_seconds <= 0:
            return True
        self._forget_passed(now)
        if node_id in self._accepted:
            return False
        self._accepted[node_id] = now
        return True

    def _forget_passed(self, now: float) -> None:
        passed = []
        for node_id, accepted in self._accepted.items():
            if accepted + self.window_seconds >= now:
                break
            passed.append(node_id)
        for node_id in passed:
            del self._accepted[node_id]

    def __len__(self) -> int:
        return len(self._accepted)
