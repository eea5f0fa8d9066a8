"""A CPU that is taken offline, and is back in any case.

It touches all that runs on the machine: processes that were bound to the CPU alone are not bound to
it any more afterwards, and cpusets of control groups v1 have lost it. Where there are such, nothing
is done.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from collector.kernel import cpus
from collector.processes.procfs import ProcFs

MOST_SECONDS = 2
"""After which it is back, whatever becomes of us."""

_CPUS = Path("/sys/devices/system/cpu")
_CPUSETS = Path("/sys/fs/cgroup/cpuset")


@contextmanager
def offline(cpu: int) -> Iterator[None]:
    switch = _CPUS / f"cpu{cpu}" / "online"
    if problem := _bound(cpu) or _refused(switch):
        pytest.skip(problem)
    rescue = f"sleep {MOST_SECONDS}; echo 1 > {switch}"
    with subprocess.Popen(["sh", "-c", rescue], start_new_session=True):
        try:
            switch.write_text("0")
            yield
        finally:
            switch.write_text("1")


def last() -> int:
    return cpus.online()[-1]


def _refused(switch: Path) -> str:
    if not os.access(switch, os.W_OK):
        return f"{switch} cannot be written: this machine keeps its CPUs"
    return ""


def _bound(cpu: int) -> str:
    if _CPUSETS.is_dir() and any(path.is_dir() for path in _CPUSETS.iterdir()):
        return f"{_CPUSETS} has groups, which would lose the CPU for good"
    procfs = ProcFs()
    for pid in procfs.pids():
        stat = procfs.stat(pid)
        if stat is None or stat.kernel_thread:
            continue
        with suppress(OSError):
            if os.sched_getaffinity(pid) == {cpu}:
                return f"process {pid} ({stat.comm}) is bound to CPU {cpu}"
    return ""
