"""One py-spy at work on one process, from a drain to the next.

    recording = Recording(program, pid, clock)
    …
    recording.interrupt()
    sighting = recording.result(end_ns)      or raises Failed
    recording.close()

py-spy writes its report once, when it is interrupted or the process ends, into memory without a
name that is bounded by the launcher's limit on files.
"""

import math
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from collector import privileges
from collector.processes.procfs import ProcFs, read_bounded, read_descriptor
from collector.processes.text import printable
from collector.pyspy import report
from collector.pyspy.placement import PythonStacks, Sighting
from collector.pyspy.report import Stack
from profiler.clock import Clock
from profiler.model import Frame

RATE_HZ = 29
"""Reading a stack costs py-spy 0.15 ms at 5 frames and 0.7 ms at 41: 0.5 to 2 % of a CPU."""
MAX_SECONDS = 30
"""Of a recording. Where drains are rarer, what it saw stands for all of the time."""
CAPABILITIES = (privileges.SYS_PTRACE, privileges.DAC_READ_SEARCH)
"""To read the memory of the process, and the symbols of its interpreter."""
LAUNCHER = Path(__file__).with_name("launcher.py")
MAX_LOG_BYTES = 64 << 10
MAX_NAMED_THREADS = 1_024


class Failed(Exception):
    """Why a recording has no stacks; `outcome` is the name of its counter, `detail` what py-spy
    said."""

    def __init__(self, outcome: str, detail: str = "") -> None:
        super().__init__(f"{outcome}: {detail}" if detail else outcome)
        self.outcome = outcome
        self.detail = detail


class Recording:
    """Of the process `pid`, by py-spy at `program`. Only threads that hold the interpreter's lock
    are seen: of interpreters before 3.11, py-spy cannot tell which of the others sleep."""

    def __init__(self, program: Path, pid: int, clock: Clock) -> None:
        self.pid = pid
        self.since_ns = clock.monotonic_ns()
        self._clock = clock
        self._seconds = 0.0
        self._report = os.memfd_create("py-spy report", os.MFD_CLOEXEC)
        self._log = os.memfd_create("py-spy log", os.MFD_CLOEXEC)
        self._begun_ns = clock.now_ns()
        launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid())]
        try:
            with privileges.passed_on(*CAPABILITIES):
                self._child = subprocess.Popen(
                    [
                        *(*launcher, f"{privileges.mask(CAPABILITIES):x}", str(program)),
                        *("record", "--pid", str(pid), "--nonblocking", "--gil"),
                        *("--format", "raw", "--threads", "--full-filenames"),
                        *("--rate", str(RATE_HZ), "--duration", str(MAX_SECONDS)),
                        *("--output", f"/proc/self/fd/{self._report}"),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=self._log,
                    stderr=self._log,
                    pass_fds=(self._report,),
                    start_new_session=True,  # Ctrl-C in the terminal is the collector's to handle
                    cwd="/",
                )
        except OSError:
            os.close(self._report)
            os.close(self._log)
            raise

    @property
    def child_pid(self) -> int:
        return self._child.pid

    def interrupt(self) -> None:
        """Lets it write its report."""
        said = os.fstat(self._log)
        if self._child.poll() is not None:
            self._seconds = (said.st_mtime_ns - self._begun_ns) / 1e9
        elif said.st_size:  # it says that it samples when it begins to, and then nothing
            self._seconds = (self._clock.now_ns() - said.st_mtime_ns) / 1e9
            self._child.send_signal(signal.SIGINT)
        else:
            self._child.kill()

    def result(self, end_ns: int) -> Sighting:
        """What it saw. Waits for it until `end_ns` (monotonic); raises Failed."""
        try:
            code = self._child.wait(max(end_ns - self._clock.monotonic_ns(), 0) / 1e9)
        except subprocess.TimeoutExpired:
            raise Failed("timeout", "no report in time") from None
        if code:
            raise _failure(code, self.pid, _read(self._log, MAX_LOG_BYTES))
        stacks = report.parse(_read(self._report, report.MAX_BYTES), self.pid)
        if not stacks:
            raise Failed("nothing_seen")
        seen = sum(stack.count for stack in stacks)
        return Sighting(_by_name(stacks, self.pid), held_at_most(seen, self._seconds))

    def close(self) -> None:
        """Ends it, whatever it does."""
        self._child.kill()
        self._child.wait()
        os.close(self._report)
        os.close(self._log)


def held_at_most(seen: int, seconds: float) -> float:
    """The share of the time for which the lock was held, of which so many samples were seen; two
    standard deviations more than that, so that chance alone keeps no sample from its stack."""
    taken = max(RATE_HZ * seconds, 1)
    return min((seen + 2 * math.sqrt(seen) + 1) / taken, 1.0)


def _failure(code: int, pid: int, log: bytes) -> Failed:
    said = printable(log.partition(b"\n\nStack backtrace")[0].strip(), 300)
    if code == -signal.SIGINT or (code == -signal.SIGKILL and not log):
        return Failed("too_short")
    if b"Permission" in log or b"os error 1)" in log:
        return Failed("refused", said)
    if ProcFs().executable(pid) is None:
        return Failed("process_gone")
    return Failed("crashed" if code < 0 else "unknown_interpreter", said)


def _by_name(stacks: Iterable[Stack], pid: int) -> dict[str, PythonStacks]:
    named = defaultdict[str, list[tuple[tuple[Frame, ...], int]]](list)
    names: dict[int, str] = {}
    for stack in stacks:
        tid = stack.tid or 0
        if tid not in names and len(names) < MAX_NAMED_THREADS:
            names[tid] = _name(pid, tid)
        named[names.get(tid, "")].append((stack.frames, stack.count))
    return dict(named)


def _name(pid: int, tid: int) -> str:
    """What the kernel calls a thread; "" where that cannot be had any more."""
    text = read_bounded(Path(f"/proc/{pid}/task/{tid}/comm"), 64) if tid else None
    return printable((text or b"").removesuffix(b"\n"))


def _read(descriptor: int, limit: int) -> bytes:
    with suppress(OSError):
        os.lseek(descriptor, 0, os.SEEK_SET)
        return read_descriptor(descriptor, limit)
    return b""
