"""Names of the kernel's functions.

Equal functions of two hosts, or of two boots of one, are equal frames: the kernel and its modules
lie elsewhere each time, so that addresses count from where each begins, and what is made while it
runs (BPF programs, trampolines) has none.

>>> kernel = KernelSymbols(Path("/proc"), Path("/sys"))
>>> kernel.refresh()
>>> kernel.answer(0xffffffff81234567).frames[0].function
'lruvec_stat_mod_folio.constprop.0'
"""

import re
from functools import lru_cache
from pathlib import Path

from collector.elf.notes import parse_build_id
from collector.processes.procfs import read_bounded
from collector.processes.text import printable
from collector.symbols.answer import Answer, unnamed
from collector.symbols.demangle import demangle
from collector.symbols.kallsyms import Kallsyms, KernelSymbol, parse_kallsyms
from profiler.clock import Clock, SystemClock
from profiler.model import Frame, Kind

KERNEL = "[kernel]"
BPF = "bpf"
MAX_KALLSYMS_BYTES = 64 << 20
MAX_MODULES_BYTES = 1 << 20
MAX_NOTES_BYTES = 64 << 10
MAX_CACHED = 16_384
_MODULE = re.compile(rb"^(\w{1,64}) (\d{1,12}) .* 0x([0-9a-f]{1,16})\b", re.MULTILINE)
_BPF_PROGRAM = re.compile(r"bpf_prog_([0-9a-f]{16})(?:_(.+))?")
_NUMBERED = re.compile(r"_\d+$")

RELOAD_NS = 300 * 10**9
"""Reading kallsyms takes 0.1 s of a CPU; every 5 minutes that is 0.04 %."""


class KernelSymbols:
    """Reads kallsyms when it is first needed and again when modules come or go.

    BPF programs come and go without a sign, and an address in one may seem to lie in the one
    before it. So while samples fall on them, or on addresses without a name, kallsyms is read
    again every 5 minutes.
    """

    def __init__(self, proc: Path, sys: Path, clock: Clock | None = None) -> None:
        self._proc = proc
        self._sys = sys
        self._clock = clock or SystemClock()
        notes = read_bounded(sys / "kernel/notes", MAX_NOTES_BYTES) or b""
        self._build_id = parse_build_id(notes)
        self._symbols: Kallsyms | None = None
        self._modules: bytes | None = None
        self._images: dict[str, range] = {}  # where the code of modules and, as "", the kernel is
        self._build_ids: dict[str, str] = {}
        self._loaded_ns = 0
        self._doubted = False
        self.answer = lru_cache(MAX_CACHED)(self._answer)

    @property
    def problem(self) -> str:
        """Why kernel functions have no names, in one line with the next step; "" if they have."""
        return "" if self._symbols is None else self._symbols.problem

    def refresh(self) -> bool:
        """To be called before the addresses of a drain; whether it has forgotten what was answered
        before, for it has become old."""
        modules = read_bounded(self._proc / "modules", MAX_MODULES_BYTES)
        old = self._doubted and self._clock.monotonic_ns() - self._loaded_ns >= RELOAD_NS
        if modules != self._modules or old:
            self._modules = modules
            self._symbols = None
            self.answer.cache_clear()
            return True
        return False

    def _load(self) -> Kallsyms:
        if self._symbols is None:
            text = read_bounded(self._proc / "kallsyms", MAX_KALLSYMS_BYTES) or b""
            self._symbols = parse_kallsyms(text)
            self._loaded_ns = self._clock.monotonic_ns()
            self._doubted = False
            self._images = parse_modules(self._modules or b"")
            if base := self._symbols.base:
                self._images[""] = range(base, 1 << 64)
            self._build_ids = {"": self._build_id}
        return self._symbols

    def _answer(self, address: int) -> Answer:
        """One frame for a runtime address."""
        symbols = self._load()
        symbol = symbols.lookup(address)
        self._doubted = self._doubted or symbol is None or symbol.module == BPF
        if symbol is None:
            cause = "kernel_hidden" if symbols.problem else "no_symbol"
            return unnamed(cause, KERNEL, kind=Kind.KERNEL)
        if symbol.module == BPF:
            return Answer((_bpf_frame(symbol.name),))
        return Answer((self._frame(symbol),))

    def _frame(self, symbol: KernelSymbol) -> Frame:
        image = self._images.get(symbol.module, range(0))
        return Frame(
            demangle(symbol.name),
            binary=f"[{printable(symbol.module)}]" if symbol.module else KERNEL,
            build_id=self._build_id_of(symbol.module),
            address=symbol.address - image.start if symbol.address in image else 0,
            kind=Kind.KERNEL,
        )

    def _build_id_of(self, module: str) -> str:
        if module not in self._build_ids:
            path = self._sys / "module" / module / "notes/.note.gnu.build-id"
            notes = read_bounded(path, MAX_NOTES_BYTES) or b""
            self._build_ids[module] = parse_build_id(notes)
        return self._build_ids[module]


def parse_modules(text: bytes) -> dict[str, range]:
    """Where the code of each module lies, from the text of /proc/modules:

    ext4 987136 2 - Live 0xffffffffc0353000

    The addresses are zero for those who may not see them, and such modules are left out.
    """
    found = {}
    for name, size, address in _MODULE.findall(text):
        start = int(address, 16)
        if start:
            found[name.decode()] = range(start, start + int(size))
    return found


def _bpf_frame(name: str) -> Frame:
    """The kernel numbers what it makes as it goes; a program's tag is a digest of its code."""
    program = _BPF_PROGRAM.fullmatch(name)
    tag = program[1] if program else ""
    function = program[2] if program and program[2] else _NUMBERED.sub("", name)
    return Frame(printable(function), binary=f"[{BPF}]", build_id=tag, kind=Kind.KERNEL)
