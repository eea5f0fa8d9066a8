"""Names of the kernel's functions.

>>> kernel = KernelSymbols(Path("/proc"), Path("/sys"))
>>> kernel.refresh()
>>> kernel.answer(0xffffffff81234567).frames[0].function
'lruvec_stat_mod_folio.constprop.0'
"""

from functools import lru_cache
from pathlib import Path

from collector.elf.notes import parse_build_id
from collector.processes.procfs import read_bounded
from collector.processes.text import printable
from collector.symbols.answer import Answer, unnamed
from collector.symbols.demangle import demangle
from collector.symbols.kallsyms import Kallsyms, parse_kallsyms
from profiler.clock import Clock, SystemClock
from profiler.model import Frame, Kind

KERNEL = "[kernel]"
MAX_KALLSYMS_BYTES = 64 << 20
MAX_MODULES_BYTES = 1 << 20
MAX_NOTES_BYTES = 64 << 10
MAX_CACHED = 16_384
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
        self._clock = clock or SystemClock()
        notes = read_bounded(sys / "kernel/notes", MAX_NOTES_BYTES) or b""
        self._build_id = parse_build_id(notes)
        self._symbols: Kallsyms | None = None
        self._modules: bytes | None = None
        self._loaded_ns = 0
        self._doubted = False
        self.answer = lru_cache(MAX_CACHED)(self._answer)

    @property
    def problem(self) -> str:
        """Why kernel functions have no names, in one line with the next step; "" if they have."""
        return "" if self._symbols is None else self._symbols.problem

    def refresh(self) -> None:
        """Forgets what has become old; to be called before the addresses of a drain."""
        modules = read_bounded(self._proc / "modules", MAX_MODULES_BYTES)
        old = self._doubted and self._clock.monotonic_ns() - self._loaded_ns >= RELOAD_NS
        if modules != self._modules or old:
            self._modules = modules
            self._symbols = None
            self.answer.cache_clear()

    def _load(self) -> Kallsyms:
        if self._symbols is None:
            text = read_bounded(self._proc / "kallsyms", MAX_KALLSYMS_BYTES) or b""
            self._symbols = parse_kallsyms(text)
            self._loaded_ns = self._clock.monotonic_ns()
            self._doubted = False
        return self._symbols

    def _answer(self, address: int) -> Answer:
        """One frame for a runtime address."""
        symbols = self._load()
        symbol = symbols.lookup(address)
        self._doubted = self._doubted or symbol is None or symbol.module == "bpf"
        if symbol is None:
            return unnamed(
                "kernel_hidden" if symbols.problem else "no_symbol",
                KERNEL,
                address,
                build_id=self._build_id,
                address=address,
                kind=Kind.KERNEL,
            )
        frame = Frame(
            demangle(symbol.name),
            binary=f"[{printable(symbol.module)}]" if symbol.module else KERNEL,
            build_id="" if symbol.module else self._build_id,
            address=symbol.address,
            kind=Kind.KERNEL,
        )
        return Answer((frame,))
