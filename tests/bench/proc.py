"""What /proc tells of processes: who started them, and what they and their children cost."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def parents() -> dict[int, int]:
    """The parent of every process that runs now."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))):
            found[int(entry.name)] = int(fields[1])
    return found


def tree(root: int) -> list[int]:
    """A process and all that descend from it and run now."""
    known = parents()
    found = [root]
    for pid in found:
        found += [child for child, parent in known.items() if parent == pid]
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time that they used, and those of their children that have ended."""
    return sum(sum(map(int, fields[11:15])) for pid in pids if (fields := _stat(pid))) / TICKS


def memory_mb(pids: Iterable[int]) -> tuple[float, float]:
    """Resident, and with its share of what several of all processes have (PSS), added up."""
    resident = proportional = 0
    for name, kib in (field for pid in pids for field in _rollup(pid)):
        resident += kib * (name == "Rss")
        proportional += kib * (name == "Pss")
    return resident / 1024, proportional / 1024


def _rollup(pid: int) -> Iterator[tuple[str, int]]:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:  # it has ended
        return
    for line in lines:
        name, kib = line.split()[:2]
        yield name.removesuffix(":"), int(kib)


def _stat(pid: int) -> list[str] | None:
    """The fields behind the name, which may have blanks and brackets itself; see proc(5)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
