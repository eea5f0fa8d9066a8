"""The profilers to compare, each running from entry to exit: this one, bcc's, perf."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from collector.kernel import files
from tests.bench.workloads import MissingError

FREQUENCY_HZ = 99
HEADERS = Path(__file__).with_name("bcc-headers")
BCC_PROGRAMS = ("profile-bpfcc", "/usr/share/bcc/tools/profile")
COLD = 'mount -t tmpfs none /var/cache && exec "$@"'
"""Begins with an empty folder of tables, and leaves the machine's own alone."""

Start = Callable[[Path], AbstractContextManager["Running"]]


@dataclass(slots=True)
class Running:
    """A profiler at work; once it has ended, `cpu_s` has all the CPU time that it used, and that
    of what gives names to what it recorded."""

    process: subprocess.Popen[bytes]
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Profiler:
    """`start` raises MissingError. Measured after `settle_seconds`; one that `names_at_end` gives
    names to what it has sampled when it is told to stop."""

    name: str
    start: Start
    settle_seconds: float
    names_at_end: bool = False


def nothing(folder: Path) -> AbstractContextManager[Running]:
    """In the place of a profiler."""
    return _running(["sleep", "infinity"], folder / "sleep.log")


def ours(server: str, log: Path, events: Sequence[str] = ()) -> Start:
    """`profiler collect`, sending to a server."""
    chosen = ",".join(events) or "cpu-clock"

    def start(folder: Path) -> AbstractContextManager[Running]:
        command = [
            *("unshare", "--mount", "sh", "-c", COLD, "sh", sys.executable, "-m", "profiler"),
            *("collect", "--server", server, "--frequency", str(FREQUENCY_HZ)),
            *("--event", chosen, "--spool", str(folder / "spool")),
        ]
        return _running(command, log)

    return start


def bcc(folder: Path) -> AbstractContextManager[Running]:
    """bcc's `profile`, which prints folded stacks at its end."""
    found = next(filter(None, map(shutil.which, BCC_PROGRAMS)), None)
    if found is None:
        raise MissingError("bcc's profile is not installed (apt-get install bpfcc-tools)")
    command = [found, "--frequency", str(FREQUENCY_HZ), "--folded"]
    return _running(command, folder / "bcc.folded", BCC_KERNEL_SOURCE=str(_headers(folder)))


def perf(call_graph: str, events: Sequence[str] = ()) -> Start:
    """`perf record`, then `perf script`, which names the stacks, and walks those of `dwarf`:
    without inlined functions, which would take it minutes."""

    @contextmanager
    def start(folder: Path) -> Iterator[Running]:
        if shutil.which("perf") is None:
            raise MissingError("perf is not installed (apt-get install linux-perf)")
        command = [
            *("perf", "record", "--all-cpus", "--event", f"cpu-clock/freq={FREQUENCY_HZ}/"),
            *(part for event in events for part in ("--event", event)),
            *("--call-graph", call_graph, f"--output={folder / 'perf.data'}"),
        ]
        with _running(command, folder / "perf.log") as recording:
            yield recording
        script = ["perf", "script", f"--input={folder / 'perf.data'}", "--no-inline"]
        with _running(script, folder / "perf.txt", stop=False) as naming:
            pass
        recording.cpu_s += naming.cpu_s

    return start


@contextmanager
def _running(
    command: Sequence[str], output: Path, *, stop: bool = True, **environment: str
) -> Iterator[Running]:
    """A command until the end of the block, or with `stop` False until its own end."""
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=os.environ | environment)
    running = Running(process)
    try:
        yield running
        if stop and _has_ended(process.pid):
            raise MissingError(f"{command[0]} ended early: {output.read_text()[-300:]}")
    finally:
        if stop:
            process.send_signal(signal.SIGINT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        running.cpu_s = used.ru_utime + used.ru_stime


def _has_ended(child: int) -> bool:
    """And leaves its end, and what it used, to who waits for it."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _headers(folder: Path) -> Path:
    """Where bcc finds the kernel's headers: the machine's own, or the few lines that it needs."""
    own = Path(f"/lib/modules/{os.uname().release}/build")
    if own.exists():
        return own
    target = folder / "headers"
    shutil.copytree(files.find("bcc-headers"), target, dirs_exist_ok=True)
    shutil.copytree(HEADERS, target, dirs_exist_ok=True)
    return target
