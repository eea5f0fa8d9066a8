"""The wall clock of one process, set while it runs: programs/clock.c, preloaded."""

import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).with_name("programs")


class WallClock:
    def __init__(self, folder: Path) -> None:
        self._offset = folder / "offset"
        self.set(0)
        library = built("clock", folder, "-shared", "-fPIC")
        self.environment: Mapping[str, str] = {
            "LD_PRELOAD": str(library),
            "CLOCK_OFFSET": str(self._offset),
        }

    def set(self, seconds: int) -> None:
        """So many seconds ahead of the machine's."""
        with self._offset.open("r+b" if self._offset.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds))


def built(name: str, folder: Path, *flags: str) -> Path:
    """A program of `programs/`."""
    compiler = shutil.which("gcc") or pytest.skip("gcc is not installed (apt-get install gcc)")
    binary = folder / name
    source = PROGRAMS / f"{name}.c"
    subprocess.run([compiler, "-O1", *flags, "-o", binary, source], check=True)
    return binary
