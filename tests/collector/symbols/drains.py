"""Raw drains, and a node of plain files to name them on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from collector.labels.labeller import Labelling
from collector.sources.raw import RawDrain, RawSample
from collector.symbols.symbolizer import Symbolizer
from profiler.model import Frame
from tests.collector.processes.fake_proc import FakeProc

PERIOD_NS = 10_101_010
NOBODY = 4_194_305
"""A pid that no process can have (pid_max is 2^22 at most)."""


def drain_of(*samples: RawSample, **losses: int) -> RawDrain:
    taken = sum(sample.count for sample in samples) + sum(losses.values())
    return RawDrain(1_000, 2_000, PERIOD_NS, taken, 0, losses, samples)


def frames(
    symbolizer: Symbolizer, pid: int, *user: int, kernel: tuple[int, ...] = ()
) -> tuple[Frame, ...]:
    """The frames of one stack below its thread, root first; `user` is leaf first."""
    drain = symbolizer.symbolize(drain_of(RawSample(pid, "t", user, kernel, 1)))
    ((stack, _, _),) = drain.profiles[0].stacks()
    return stack[1:]


@contextmanager
def on_fakes(root: Path) -> Iterator[tuple[Symbolizer, FakeProc]]:
    proc = FakeProc(root)
    symbolizer = Symbolizer(Labelling("node-a"), root, sys=root, debug=root, patience_seconds=60)
    try:
        yield symbolizer, proc
    finally:
        symbolizer.close()


def map_of(path: Path, start: int = 0x10000, end: int = 0x20000) -> bytes:
    found = path.stat()
    device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}"
    return f"{start:x}-{end:x} r-xp 00000000 {device} {found.st_ino}    {path}\n".encode()
