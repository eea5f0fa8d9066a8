"""ELF files that were made to hurt their reader."""

import struct
import zlib

_HEADER = "<HHIQQQIHHHHHH"
_SECTION = "<IIQQQQIIQQ"
_SHF_COMPRESSED = 0x800


def compressed(claimed_bytes: int) -> bytes:
    """A file of 1 KB with DWARF that claims to be `claimed_bytes` long when unpacked."""
    names = b"\0.shstrtab\0.debug_info\0.debug_abbrev\0"
    packed = struct.pack("<IIQQ", 1, 0, claimed_bytes, 1) + zlib.compress(bytes(100_000))
    body = (names + packed).ljust((len(names) + len(packed) + 7) // 8 * 8, b"\0")
    sections = [
        (0, 0, 0, 0, 0),
        (1, 3, 0, 64, len(names)),
        (11, 1, _SHF_COMPRESSED, 64 + len(names), len(packed)),
        (23, 1, _SHF_COMPRESSED, 64 + len(names), len(packed)),
    ]
    table = b"".join(
        struct.pack(_SECTION, name, kind, flags, 0, offset, size, 0, 0, 1, 0)
        for name, kind, flags, offset, size in sections
    )
    header = struct.pack(
        _HEADER, 3, 62, 1, 0, 0, 64 + len(body), 0, 64, 56, 0, 64, len(sections), 1
    )
    return b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + header + body + table
