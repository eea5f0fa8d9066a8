"""The child process that builds tables, so that no file can hurt the collector or slow it down.

It has a low priority, and a limit on memory and on the time for one file: one death is one
file without rows. The parent sends one message a file over the socket that is descriptor 0, with
two descriptors: the ELF file, and an empty file for the table. The answer is empty, or says what
is wrong with the file.

    python -m collector.unwind.worker CACHE_FOLDER
"""

import os
import resource
import socket
import sys
from contextlib import suppress
from pathlib import Path

from collector.unwind import cache, elf, table, tablefile
from profiler.errors import FormatError

NICE = 5
"""A quarter of a CPU that one other keeps busy. At 19 it would be a seventieth, and on a node that
is busy, where profiles matter most, the first stacks would wait for minutes."""
MAX_DATA_BYTES = 1 << 30
"""rustc's libLLVM, the largest table seen, takes 0.1 GB."""
MAX_CPU_SECONDS = 30
"""It takes 1.2 s; a full MAX_PROGRAM_BYTES takes 10 s."""


def main(folder: str) -> None:
    _confine()
    tables = cache.TableCache(Path(folder)) if folder else None
    parent = socket.socket(fileno=0)
    while True:
        message, descriptors, _, _ = socket.recv_fds(parent, 16, 2)
        if not message or len(descriptors) != 2:
            return
        source, target = descriptors
        _allow_cpu(MAX_CPU_SECONDS)
        answer = ""
        try:
            with os.fdopen(target, "wb") as file:
                file.write(build(source, tables))
        except FormatError as error:
            answer = str(error)[:200]
        except (OSError, MemoryError) as error:
            answer = f"no room for the table: {error}"[:200]
        os.close(source)
        parent.send(b"!" + answer.encode())


def build(descriptor: int, tables: cache.TableCache | None) -> bytes:
    """The table of a mapped file, as a file; from the cache if it has it."""
    source = elf.of_descriptor(descriptor)
    if source(0, len(elf.MAGIC)) != elf.MAGIC:
        return tablefile.dumps(table.of_generated_code())
    headers = elf.read(source)
    if tables is None:
        return tablefile.dumps(table.build(headers))
    key = cache.digest(headers)
    known = tables.get(key)
    if known is not None:
        return tablefile.dumps(known)
    data = tablefile.dumps(table.build(headers))
    tables.put(key, data)
    return data


def _confine() -> None:
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA_BYTES, MAX_DATA_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # where memory is short, this dies before the collector
        Path("/proc/self/oom_score_adj").write_text("1000")


def _allow_cpu(seconds: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main(sys.argv[1])
