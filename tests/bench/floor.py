"""The native floor: what it takes at least to add up entries that are stored as chunks are.

zstd, and a loop in C that undoes distances and adds: nothing of it is spent in Python. Beside it
stands what the store takes for the same chunks.
"""

import ctypes
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import zstandard

from server.store.chunk import Chunk, encode_profiles
from tests.bench.workloads import MissingError

_SOURCE = """
#include <stdint.h>
void add(const uint8_t *low, const uint8_t *high, const uint8_t *samples, int64_t n, int64_t *sums)
{
    uint16_t place = 0;
    for (int64_t i = 0; i < n; i++) {
        place += (uint16_t)(low[i] | high[i] << 8);
        sums[place] += samples[i];
    }
}
"""
_HEADER = 10
"""Bytes before the columns of the entries of a chunk."""


def ns_an_entry(chunks: Sequence[Chunk], folder: Path) -> float:
    """Of chunks with places of two bytes; raises MissingError where there is no compiler."""
    native = _compiled(folder)
    blobs = [encode_profiles(chunk.entries, np.unique(chunk.entries.nodes)) for chunk in chunks]
    lengths = [len(chunk.entries.nodes) for chunk in chunks]
    sums = np.zeros(1 << 16, np.int64)
    decompressor = zstandard.ZstdDecompressor()
    spent = []
    for _ in range(3):
        sums[:] = 0
        started = time.perf_counter_ns()
        for blob, n in zip(blobs, lengths, strict=True):
            plain = np.frombuffer(decompressor.decompress(blob[1:]), np.uint8, offset=_HEADER)
            low, high, samples = (plain[part * n :].ctypes.data for part in range(3))
            native.add(low, high, samples, n, sums.ctypes.data)
        spent.append((time.perf_counter_ns() - started) / sum(lengths))
    return min(spent)


def _compiled(folder: Path) -> ctypes.CDLL:
    source, library = folder / "floor.c", folder / "floor.so"
    source.write_text(_SOURCE)
    try:
        flags = ["-O3", "-march=native", "-shared", "-fPIC"]
        subprocess.run(["cc", *flags, "-o", library, source], check=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise MissingError(f"no C compiler: {error}") from None
    native = ctypes.CDLL(str(library))
    native.add.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int64, ctypes.c_void_p]
    return native
