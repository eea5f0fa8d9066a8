"""abi.py against profile.h. A field that only one of them has changes a size."""

import subprocess
from ctypes import sizeof
from pathlib import Path

from collector.kernel import abi, files
from tests.collector.kernel.conftest import compiler

STRUCTS = {
    "count_key": abi.CountKey,
    "count": abi.Count,
    "sleep": abi.Sleep,
    "spanning_key": abi.SpanningKey,
    "settings": abi.Settings,
    "counters": abi.Counters,
    "raw_sample": abi.RawSample,
}
CONSTANTS = {
    "COMM_LEN": abi.COMM_LEN,
    "MAX_DEPTH": abi.MAX_DEPTH,
    "SETS": abi.SETS,
    "NO_STACK": abi.NO_STACK,
    "COUNTERS": len(abi.Counter),
    **{counter.name: counter.value for counter in abi.Counter},
    **{why.name: why.value for why in abi.NoStack},
    **{f"WEIGHS_{weighs.name}": weighs.value for weighs in abi.Weighs},
    **{f"CONTEXT_{context.name}": context.value for context in abi.Context},
}


def ours() -> dict[str, int]:
    layout = dict(CONSTANTS)
    for name, struct in STRUCTS.items():
        if struct is abi.RawSample:  # what follows is not of a fixed size
            layout["offsetof(struct raw_sample, words)"] = sizeof(struct)
            layout["offsetof(struct raw_sample, saved)"] = sizeof(struct)
        else:
            layout[f"sizeof(struct {name})"] = sizeof(struct)
        for field, *_ in struct._fields_:
            descriptor = getattr(struct, field)
            layout[f"offsetof(struct {name}, {field})"] = descriptor.offset
            layout[f"sizeof(((struct {name} *)0)->{field})"] = descriptor.size
    return layout


def test_abi_is_the_header_as_the_c_compiler_lays_it_out(tmp_path: Path) -> None:
    expected = ours()
    prints = "".join(f'printf("%ld\\n", (long)({expression}));' for expression in expected)
    source = tmp_path / "layout.c"
    source.write_text(
        f'#include <stddef.h>\n#include <stdio.h>\n#include "{files.find("profile.h")}"\n'
        f"int main(void) {{ {prints} }}\n"
    )
    subprocess.run([compiler(), "-o", tmp_path / "layout", source], check=True)
    said = subprocess.run([tmp_path / "layout"], check=True, capture_output=True).stdout
    theirs = dict(zip(expected, map(int, said.split()), strict=True))
    assert theirs == expected
