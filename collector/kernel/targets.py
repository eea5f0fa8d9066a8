"""The processes that programs look for which the kernel calls for all: see bpf/targets.h."""

import os
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from collector.kernel import files, libbpf, maps
from collector.kernel.abi import TARGETS
from collector.kernel.raw_tracepoint import attach

_WAITS, _RUNS = b"\0", b"\1"  # TARGET_WAITS, TARGET_RUNS
_PROGRAMS = ("follow_fork", "follow_exec")


class Targets:
    """Processes, and what they start from now on, from entry to exit. `fd` is that of the map."""

    def __init__(self) -> None:
        self.fd = -1
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            path = files.find("build/targets.bpf.o")
            with libbpf.opened(path) as (library, bpf_object):
                library.call("bpf_object__load", bpf_object)
                fds = libbpf.descriptors(library, bpf_object, _PROGRAMS, (TARGETS,))
            for fd in fds.values():
                opened.callback(os.close, fd)
            for name in _PROGRAMS:
                opened.callback(os.close, attach(fds[name]))
            self.fd = fds[TARGETS]
            self._map = maps.Map(self.fd)
            self._open = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def add(self, pid: int, *, waits: bool) -> None:
        """A process; with `waits`, from the next program on that it executes."""
        self._map.update(pid.to_bytes(4, "little"), _WAITS if waits else _RUNS)
