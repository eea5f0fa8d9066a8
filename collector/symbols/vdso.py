"""The vdso: the ELF file that the kernel maps into every process and that lies on no disk.

It is the same in all 64-bit processes, so ours serves for all. Those of 32-bit processes have
another size.
"""

import re
from pathlib import Path

MAX_BYTES = 1 << 20

_LINE = re.compile(rb"^([0-9a-f]+)-([0-9a-f]+) r.x.*\[vdso\]$", re.MULTILINE)


def read_vdso(own: Path = Path("/proc/self")) -> bytes:
    """The image of our own vdso; empty where there is none or it cannot be read."""
    try:
        line = _LINE.search((own / "maps").read_bytes())
        if line is None:
            return b""
        start, end = int(line[1], 16), int(line[2], 16)
        with (own / "mem").open("rb", buffering=0) as memory:
            memory.seek(start)
            return memory.read(min(end - start, MAX_BYTES)) or b""
    except OSError:
        return b""
