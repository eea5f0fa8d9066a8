"""CPU time that may be spent on a thing: a share of the time that passes, and some in advance.

allowance = Allowance(share=0.1, most_ns=2_000_000_000)
if allowance.left:
    allowance.spend(took_ns)
"""

import time


class Allowance:
    """May be overdrawn by what is spent at once."""

    def __init__(self, share: float, most_ns: int) -> None:
        self._share = share
        self._most_ns = most_ns
        self._left_ns = float(most_ns)
        self._since_ns = time.monotonic_ns()

    @property
    def left(self) -> bool:
        now = time.monotonic_ns()
        self._left_ns += (now - self._since_ns) * self._share
        self._left_ns = min(self._left_ns, self._most_ns)
        self._since_ns = now
        return self._left_ns > 0

    def spend(self, spent_ns: int) -> None:
        self._left_ns -= spent_ns
