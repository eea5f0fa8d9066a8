"""The child process that builds tables (see `collector.confined`), at a low priority.

The answer is empty, or says what is wrong with the file.

    python -m collector.unwind.worker CACHE_FOLDER
"""

import os
import sys
from pathlib import Path

from collector.confined.worker import Limits, die_first, serve
from collector.elf.file import MAGIC, read_elf
from collector.elf.source import of_descriptor
from collector.unwind import cache, table, tablefile
from profiler.errors import FormatError

LIMITS = Limits(heap_bytes=1 << 30, cpu_seconds=30, nice=5)
"""rustc's libLLVM, the largest table seen, takes 0.1 GB and 1.2 s, a full MAX_PROGRAM_BYTES 10 s.
Nice 5 leaves a quarter of a CPU that one other keeps busy. At 19 it would be a seventieth, and on
a node that is busy, where profiles matter most, the first stacks would wait for minutes."""


def main(folder: str) -> None:
    tables = cache.TableCache(Path(folder)) if folder else None

    def answer(_: bytes, source: int, target: int) -> str:
        try:
            data = build(source, tables)
            with os.fdopen(os.dup(target), "wb") as file:
                file.write(data)
        except FormatError as error:
            return str(error)
        except (OSError, MemoryError) as error:
            return f"no room for the table: {error}"
        return ""

    die_first()
    serve(answer, LIMITS)


def build(descriptor: int, tables: cache.TableCache | None) -> bytes:
    """The table of a mapped file, as a file; from the cache if it has it."""
    source = of_descriptor(descriptor)
    if source(0, len(MAGIC)) != MAGIC:
        return tablefile.dumps(table.of_generated_code())
    elf = read_elf(source)
    if tables is None:
        return tablefile.dumps(table.build(elf))
    key = cache.digest(elf)
    known = tables.get(key)
    if known is not None:
        return tablefile.dumps(known)
    data = tablefile.dumps(table.build(elf))
    tables.put(key, data)
    return data


if __name__ == "__main__":
    main(sys.argv[1])
