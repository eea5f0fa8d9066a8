"""Keeps py-spy at work on the processes that need it, from one drain to the next.

    with Spying(interpreters.unknown) as spying:
        sightings = spying.collect()            after the drain
        …
        spying.begin(raw)                       for the next one

A process needs it if it used a CPU in the last drain and runs an interpreter that the kernel's walk
does not know. Where py-spy does not help either, the native stacks stay, and the log says why, once
a reason.
"""

import logging
import shutil
import sysconfig
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from collector.pyspy.placement import Sighting
from collector.pyspy.recording import Failed, Recording
from collector.sources.raw import RawDrain
from profiler.clock import Clock, SystemClock

logger = logging.getLogger(__name__)

CAUSES = (
    *("unknown_version", "free_threaded", "layout_mismatch"),
    *("no_symbols", "no_thread_slot", "no_room"),
)
"""Of `Interpreters`: why the walk leaves out an interpreter that py-spy may know."""
HARMLESS = ("ok", "nothing_seen", "too_short", "process_gone")

AT_ONCE = 4
"""Processes, those with the most samples: at 2 % of a CPU each."""
MIN_SHARE = 0.02
"""Of a CPU that a process must have used: less than py-spy itself would."""
SHORTEST_NS = 500_000_000
"""Of a recording: where drains are closer together, it goes on until a later one."""
PATIENCE_NS = 1_000_000_000
"""For all reports of a drain. One takes 10 to 50 ms."""
FIRST_WAIT_NS = 60_000_000_000
LAST_WAIT_NS = 3_600_000_000_000
"""After a failure, until the process is tried again: doubled each time."""

NEXT_STEPS = {
    "not_installed": "pip install py-spy",
    "refused": "give the collector CAP_SYS_PTRACE",
}


@dataclass(frozen=True, slots=True)
class _Wait:
    until_ns: int
    length_ns: int


class Spying:
    """`unknown(pid)` is why the walk does not know the interpreter of a process, "" where it does
    or there is none. `program` is py-spy, None where it is not installed.

    `outcomes` counts recordings by what came of them: `ok`, `nothing_seen`, `too_short`,
    `process_gone`, `refused`, `unknown_interpreter`, `crashed`, `timeout`, `no_room`, and
    `not_installed` for those that were not begun.
    """

    def __init__(
        self,
        unknown: Callable[[int], str],
        program: Path | None,
        clock: Clock | None = None,
    ) -> None:
        self.outcomes: Counter[str] = Counter()
        self._unknown = unknown
        self._program = program
        self._clock = clock or SystemClock()
        self._recordings: list[Recording] = []
        self._waits: dict[int, _Wait] = {}
        self._said: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for recording in self._recordings:
            recording.close()
        self._recordings = []

    @property
    def child_pids(self) -> list[int]:
        """The py-spies at work."""
        return [recording.child_pid for recording in self._recordings]

    def collect(self) -> dict[int, Sighting]:
        """What was seen since `begin`, by process; ends the recordings."""
        sightings = {}
        now_ns = self._clock.monotonic_ns()
        ending = [one for one in self._recordings if now_ns - one.since_ns >= SHORTEST_NS]
        for recording in ending:
            recording.interrupt()
        for recording in ending:
            try:
                sightings[recording.pid] = recording.result(now_ns + PATIENCE_NS)
                self._count("ok", recording.pid)
            except Failed as failure:
                self._count(failure.outcome, recording.pid, failure.detail)
            self._recordings.remove(recording)
            recording.close()
        return sightings

    def begin(self, raw: RawDrain) -> None:
        """Begins recordings of the processes that need them, by what a drain says that they
        used."""
        used = Counter[int]()
        for sample in raw.samples:
            used[sample.pid] += sample.count
        self._waits = {pid: w for pid, w in self._waits.items() if Path(f"/proc/{pid}").exists()}
        least = MIN_SHARE * raw.duration_ns / raw.period
        begun = {recording.pid for recording in self._recordings}
        for pid, samples in used.most_common():
            if samples < least or len(self._recordings) == AT_ONCE:
                break
            cause = self._unknown(pid)
            if cause in CAUSES and pid not in begun and not self._waiting(pid):
                self._begin(pid, cause)

    def _begin(self, pid: int, cause: str) -> None:
        if self._program is None:
            self._count("not_installed", pid, cause)
            return
        try:
            self._recordings.append(Recording(self._program, pid, self._clock))
        except OSError as error:  # no room for another process
            self._count("no_room", pid, str(error))

    def _waiting(self, pid: int) -> bool:
        wait = self._waits.get(pid)
        return wait is not None and self._clock.monotonic_ns() < wait.until_ns

    def _count(self, outcome: str, pid: int, detail: str = "") -> None:
        self.outcomes[outcome] += 1
        if outcome in HARMLESS:
            self._waits.pop(pid, None)
            return
        before = self._waits.get(pid)
        length_ns = min(2 * before.length_ns, LAST_WAIT_NS) if before else FIRST_WAIT_NS
        self._waits[pid] = _Wait(self._clock.monotonic_ns() + length_ns, length_ns)
        if outcome not in self._said:
            self._said.add(outcome)
            step = NEXT_STEPS.get(outcome, "it is tried again later")
            logger.warning(
                "process %d shows no Python frames: py-spy %s (%s); %s", pid, outcome, detail, step
            )


def find_program() -> Path | None:
    """py-spy as it was installed with us, else from PATH."""
    ours = Path(sysconfig.get_path("scripts"), "py-spy")
    found = str(ours) if ours.exists() else shutil.which("py-spy")
    return Path(found) if found else None
