"""What it takes to build the unwind tables of large files: rows, CPU seconds, memory.

python -m tests.bench.tables
"""

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from collector.elf.file import read_elf
from collector.elf.source import of_descriptor
from collector.unwind import table

ROW = "{:<36} {:>9} {:>8} {:>7} {:>7}".format


def main() -> None:
    """Each file in a process of its own, so that its memory can be told."""
    print(ROW("file", "rows", "seconds", "rows/s", "MB"), flush=True)
    for path in large_files():
        subprocess.run([sys.executable, "-m", "tests.bench.tables", path], check=True)


def print_row(path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    rows = built(path).rows
    seconds = time.process_time() - started
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    print(ROW(path.name, rows, f"{seconds:.2f}", f"{rows / seconds / 1e6:.1f} M", peak))


def built(path: Path) -> table.Table:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return table.build(read_elf(of_descriptor(descriptor)))
    finally:
        os.close(descriptor)


def large_files() -> Iterator[Path]:
    libraries = Path("/usr/lib/x86_64-linux-gnu")
    found = [libraries / "libc.so.6", Path(shutil.which("node") or "").resolve()]
    found += sorted(libraries.glob("libLLVM-*.so.1"))
    found += sorted(Path.home().glob(".rustup/toolchains/stable*/lib/libLLVM.so*"))
    return (path for path in found if path.is_file() and path.stat().st_size > 1 << 20)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print_row(Path(sys.argv[1]))
    else:
        main()
