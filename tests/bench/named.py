"""Which frames could have a name: those of files that have a symbol table, of the kernel, of
interpreters, and of compilers that tell their functions' names.

Most of a distribution's programs are stripped: what they do not export is nameless for everybody.
"""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from collector.processes.maps import parse_maps
from profiler.model import Frame, Kind

DEBUG = Path("/usr/lib/debug/.build-id")
UNKNOWN = "[unknown]"


class Files:
    """The files that processes have mapped, by the name that frames give them."""

    def __init__(self) -> None:
        self._paths: dict[str, Path] = {}
        self._has_symbols: dict[str, bool] = {}

    def look_at(self, pids: Iterable[int]) -> None:
        """To be called while they run."""
        for pid in pids:
            try:
                text = Path(f"/proc/{pid}/maps").read_bytes()
            except OSError:
                continue
            for mapping in parse_maps(text):
                if mapping.path.startswith(b"/"):
                    self._paths.setdefault(mapping.name, Path(mapping.path.decode()))

    def has_symbols(self, frame: Frame) -> bool:
        """Whether its file has more symbols than those that it exports, or a debug file."""
        if frame.binary not in self._has_symbols:
            path = self._paths.get(frame.binary)
            self._has_symbols[frame.binary] = path is not None and (
                has_section(path, ".symtab") or has_debug_file(frame.build_id)
            )
        return self._has_symbols[frame.binary]


def has_section(path: Path, name: str) -> bool:
    command = ["readelf", "--section-headers", "--wide", str(path)]
    said = subprocess.run(command, capture_output=True, text=True)
    return re.search(rf"\] {re.escape(name)}\s", said.stdout) is not None


def has_debug_file(build_id: str) -> bool:
    return bool(build_id) and (DEBUG / build_id[:2] / f"{build_id[2:]}.debug").exists()


def is_nameable(frame: Frame, files: Files, perf_map: bool) -> bool:
    if frame.kind is Kind.NATIVE:
        return files.has_symbols(frame)
    return frame.kind is not Kind.JIT or perf_map


def is_unnamed(frame: Frame) -> bool:
    return frame.function.startswith(UNKNOWN)
