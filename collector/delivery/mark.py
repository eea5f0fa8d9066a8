"""Up to when the samples of a collector that runs are in its spool: a file that goes with its end.

One that is there at the start was left by a collector that was killed, or whose machine was. What
it had sampled since went with the kernel's maps: nobody can tell how much that was, but when.
"""

import logging
from contextlib import suppress
from pathlib import Path

from collector.delivery.durable import SUFFIX
from profiler.clock import Clock
from profiler.model import Drain
from profiler.timerange import SECOND

logger = logging.getLogger(__name__)


class Mark:
    """`unaccounted_ns` lie between what the last collector left and the start of this one: what it
    still sampled then is lost. 0: it ended in order."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._until_ns: dict[str, int] = {}
        self.unaccounted_ns = 0
        now_ns = clock.now_ns()
        before_ns = self._read()
        if before_ns is not None:
            self.unaccounted_ns = max(now_ns - before_ns, 0)
            logger.warning(
                "the collector before was killed: what it sampled in the last part of the %.1f s"
                " before now is lost, and was not counted",
                self.unaccounted_ns / SECOND,
            )
        self._write(now_ns)

    def advance(self, drain: Drain) -> None:
        """A drain is on disk. What is sampled of several types counts up to where all are; that of
        sessions is not expected to go on."""
        if drain.progress is None:
            self._until_ns[drain.type.name] = drain.start_ns + drain.duration_ns
            self._write(min(self._until_ns.values()))

    def remove(self) -> None:
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _read(self) -> int | None:
        try:
            return int(self._path.read_text("ascii"))
        except (OSError, ValueError):
            return None

    def _write(self, until_ns: int) -> None:
        """Not to stay: one that a power cut takes back tells of more than was lost. Nor does one
        that cannot be written."""
        with suppress(OSError):
            temporary = self._path.with_name(self._path.name + SUFFIX)
            temporary.write_text(f"{until_ns}\n", "ascii")
            temporary.replace(self._path)
