import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.elf.file import read_elf
from collector.elf.source import of_bytes
from collector.symbols.plt import Plt
from profiler.errors import FormatError
from tests.collector.symbols.programs import C_SOURCE, compiled, needs

STUB = re.compile(r"^([0-9a-f]+) <(.+)@plt>:$", re.MULTILINE)


def plt_of(contents: bytes) -> Plt:
    return Plt(read_elf(of_bytes(contents)))


@pytest.mark.parametrize("flags", [["-fcf-protection"], ["-fcf-protection=none"], ["-no-pie"]])
def test_stubs_have_the_names_that_a_disassembler_gives_them(
    tmp_path: Path, flags: list[str]
) -> None:
    program = compiled(tmp_path / "shop", C_SOURCE, *flags)
    listing = subprocess.run(
        [needs("objdump"), "-d", program], capture_output=True, text=True, check=True
    ).stdout
    stubs = {int(address, 16): name for address, name in STUB.findall(listing)}
    plt = plt_of(program.read_bytes())
    assert "printf" in stubs.values()
    assert {at: found[0] for at in stubs if (found := plt.lookup(at))} == stubs
    assert all(plt.lookup(at + 3) == (name, at) for at, name in stubs.items())


def test_the_first_entry_which_calls_the_linker_is_a_stub_without_a_name(c_program: Path) -> None:
    elf = read_elf(of_bytes(c_program.read_bytes()))
    plt = plt_of(c_program.read_bytes())
    (first,) = (section.address for section in elf.sections if section.name == ".plt")
    assert plt.holds(first) and plt.lookup(first) is None
    assert not plt.holds(first - 1)


@given(st.data())
def test_changed_tables_never_fail(c_program: Path, data: st.DataObject) -> None:
    contents = bytearray(c_program.read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        contents[data.draw(st.integers(0, len(contents) - 1))] = data.draw(st.integers(0, 255))
    try:
        plt = plt_of(bytes(contents))
    except FormatError:
        return
    plt.lookup(data.draw(st.integers(0, 1 << 64)))
