"""abi.py and x86_64.py are the headers of bpf/ as the C compiler reads them."""

import shutil
import subprocess
from enum import IntEnum
from pathlib import Path

import numpy as np
import pytest

from collector.kernel import files
from collector.unwind import abi
from collector.unwind.x86_64 import SLOTS, MachineRule

STRUCTS = {
    "unwind_mapping": abi.MAPPING,
    "unwind_process": abi.PROCESS,
    "unwind_want": abi.WANT,
    "unwind_thread": abi.THREAD,
    "unwind": abi.UNWIND,
}
ENUMS: dict[str, type[IntEnum]] = {
    "RULE_": abi.Rule,
    "FP_": abi.FramePointer,
    "UNWIND_": abi.Cause,
}
CONSTANTS = {
    "UNWIND_WINDOW_BITS": abi.WINDOW_BITS,
    "UNWIND_PAGE_ROWS": abi.PAGE_ROWS,
    "UNWIND_INDEX_SIZE": abi.INDEX_SIZE,
    "UNWIND_DEPTH": abi.DEPTH,
    "UNWIND_CAUSES": len(abi.Cause),
    "RULES_MAX": abi.RULES_MAX,
    "UNWIND_REGISTERS": abi.REGISTERS,
    "UNWIND_SAVED_BYTES": abi.SAVED_BYTES,
    "offsetof(struct unwind_saved, time_ns)": 8 * abi.REGISTERS,
    "offsetof(struct unwind_saved, stack)": abi.SAVED.itemsize,
    "sizeof(union unwind_page)": abi.PAGE_BYTES,
    # The key of struct unwind_found has 24 bits of the epoch, 16 of the table, then the place.
    "sizeof(struct unwind_found)": 16,
    "40 - UNWIND_WINDOW_BITS": 16,
}
# The DWARF names of the registers, by number: System V ABI, AMD64, figure 3.36.
DWARF = [
    *("AX", "DX", "CX", "BX", "SI", "DI", "BP", "SP"),
    *(f"R{number}" for number in range(8, 16)),
    "IP",
]


def ours() -> dict[str, int]:
    layout = dict(CONSTANTS)
    for prefix, names in ENUMS.items():
        layout |= {f"{prefix}{member.name}": member.value for member in names}
    layout |= {f"RULE_{rule.name}": rule.value for rule in MachineRule}
    layout |= {f"REG_{name}": slot for name, slot in zip(DWARF, SLOTS, strict=True)}
    for name, kind in STRUCTS.items():
        layout[f"sizeof(struct {name})"] = kind.itemsize
        for field, (form, offset, *_) in (kind.fields or {}).items():
            layout[f"offsetof(struct {name}, {field})"] = offset
            layout[f"sizeof(((struct {name} *)0)->{field})"] = form.itemsize
    return layout


def test_the_mirror_is_the_header_as_the_c_compiler_lays_it_out(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: apt-get install gcc")
    expected = ours()
    prints = "".join(f'printf("%ld\\n", (long)({expression}));' for expression in expected)
    source = tmp_path / "layout.c"
    source.write_text(
        "#include <stddef.h>\n#include <stdio.h>\n"
        f'#include "{files.find("unwind.h")}"\n'
        f"int main(void) {{ {prints} }}\n"
    )
    subprocess.run([compiler, "-o", tmp_path / "layout", source], check=True)
    said = subprocess.run([tmp_path / "layout"], check=True, capture_output=True).stdout
    assert dict(zip(expected, map(int, said.split()), strict=True)) == expected


@pytest.mark.parametrize("offset", [0, 8, -8, abi.MIN_OFFSET, abi.MAX_OFFSET])
@pytest.mark.parametrize("place", [0, -2, 127, -128])
def test_a_row_keeps_its_numbers(offset: int, place: int) -> None:
    """The two halves, taken apart as the C code does it."""
    row = np.array([abi.code(abi.Rule.CFA_SP, offset, place) | 0x123456 << 8], "<u8")
    at_rule, cfa_fp = row.view("<u4")[0], row.view("<i4")[1]
    assert (at_rule >> 8, at_rule & 0xFF) == (0x123456, abi.Rule.CFA_SP)
    assert (cfa_fp >> 8, cfa_fp.astype("i1")) == (offset, place)
