"""The vdso: the ELF file that the kernel maps into every process and that lies on no disk.

It is the same in all 64-bit processes, so ours serves for all; another process may have written to
its own. Those of 32-bit processes have another size.
"""

from pathlib import Path

from collector.processes.maps import parse_maps

MAX_BYTES = 1 << 20


def read_vdso(own: Path = Path("/proc/self")) -> bytes:
    """The image of our own vdso; empty where there is none or it cannot be read."""
    try:
        for mapping in parse_maps((own / "maps").read_bytes()):
            if mapping.vdso:
                with (own / "mem").open("rb", buffering=0) as memory:
                    memory.seek(mapping.start)
                    return memory.read(min(mapping.end - mapping.start, MAX_BYTES)) or b""
    except OSError:
        pass
    return b""
