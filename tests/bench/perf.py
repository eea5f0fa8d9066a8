"""`perf record --call-graph dwarf` of some processes, and the samples that it wrote.

A line of `perf script` as it is asked here:

    24256  5312.401834119:     7fb839aef245 sqlite3BtreeInsert+0x45 (/usr/lib/…/libsqlite3.so.0.8.6)
"""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.workloads import MissingError

START_SECONDS = 1.0

_SAMPLE = re.compile(
    r"\s*(?P<pid>\d+)\s+(?P<s>\d+)\.(?P<ns>\d{9}):\s+(?P<ip>[0-9a-f]+) "
    r"(?P<symbol>.*?)(?:\+0x(?P<at>[0-9a-f]+))? \((?P<file>.*)\)"
)
_MAPPING = re.compile(
    r".*PERF_RECORD_MMAP2 (?P<pid>\d+)/\d+: \[0x(?P<start>[0-9a-f]+)\(0x(?P<size>[0-9a-f]+)\)"
    r" @ (?:0x)?(?P<offset>[0-9a-f]+) [^]]*\]: ..x. (?P<file>.*)"
)


@dataclass(frozen=True, slots=True)
class Sampled:
    """Where a sample fell: `at` bytes into `symbol`, at `offset` of `file`, where it has one."""

    symbol: str
    at: int
    file: str
    offset: int | None


@dataclass(frozen=True, slots=True)
class _Mapping:
    start: int
    end: int
    offset: int


@contextmanager
def recording(pids: Sequence[int], frequency_hz: int, path: Path) -> Iterator[None]:
    """Records from entry to exit. Raises MissingError where there is no perf."""
    if shutil.which("perf") is None:
        raise MissingError("perf is not installed (apt-get install linux-perf)")
    command = [
        *("perf", "record", "--quiet", "--event", "cpu-clock", f"--freq={frequency_hz}"),
        # Our own clock, so that both count the samples of the same time.
        *("--call-graph", "dwarf", "--clockid", "CLOCK_MONOTONIC"),
        *(f"--output={path}", f"--pid={','.join(map(str, pids))}"),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        time.sleep(START_SECONDS)
        if process.poll() is not None:
            said = process.stderr.read().decode(errors="replace") if process.stderr else ""
            raise MissingError(f"perf record: {said.strip()}")
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)


def script(path: Path) -> str:
    """What perf says of a recording: mappings, and samples without their callers."""
    command = [
        *("perf", "script", f"--input={path}", "--ns", "--no-inline", "--hide-call-graph"),
        *("--show-mmap-events", "--fields=pid,time,ip,sym,symoff,dso"),
    ]
    said = subprocess.run(command, check=True, capture_output=True).stdout
    return said.decode(errors="replace")


def parse(text: str, start_ns: int, end_ns: int) -> Iterator[Sampled]:
    """The samples between two moments of CLOCK_MONOTONIC."""
    mappings: dict[tuple[int, str], list[_Mapping]] = {}
    for line in text.splitlines():
        if match := _MAPPING.fullmatch(line):
            start, size, begin = (int(match[name], 16) for name in ("start", "size", "offset"))
            mapping = _Mapping(start, start + size, begin)
            mappings.setdefault((int(match["pid"]), match["file"]), []).append(mapping)
        elif (match := _SAMPLE.fullmatch(line)) and start_ns <= _time_ns(match) < end_ns:
            offset = _offset(
                mappings.get((int(match["pid"]), match["file"]), ()), int(match["ip"], 16)
            )
            yield Sampled(match["symbol"], int(match["at"] or "0", 16), match["file"], offset)


def _time_ns(match: re.Match[str]) -> int:
    return int(match["s"]) * 1_000_000_000 + int(match["ns"])


def _offset(mappings: Sequence[_Mapping], address: int) -> int | None:
    """In the file; the latest mapping first, which may have replaced another."""
    for mapping in reversed(mappings):
        if mapping.start <= address < mapping.end:
            return address - mapping.start + mapping.offset
    return None
