"""One ELF file as far as it could be read: names for its addresses."""

from functools import lru_cache

from symbolic.exceptions import SymbolicError
from symbolic.symcache import SymCache

from collector.elf.file import Elf
from collector.processes.text import printable
from collector.symbols.answer import Answer, unnamed
from collector.symbols.demangle import demangle
from collector.symbols.plt import Plt
from profiler.model import Frame

MAX_CACHED = 4096
"""Addresses of one file, some 300 bytes each."""
_NAMELESS = ("", "?")


class Binary:
    """`cause` says why there are no symbols, "" where there are some; `bare`: the file has none but
    those that it exports. `size` is that of the SymCache in bytes; its pages are read from a file
    and count as page cache."""

    def __init__(
        self,
        name: str,
        elf: Elf | None,
        build_id: str = "",
        plt: Plt | None = None,
        symbols: SymCache | None = None,
        size: int = 0,
        cause: str = "",
        bare: bool = False,
    ) -> None:
        self.name = name
        self.elf = elf.headers() if elf else None
        self.build_id = build_id
        self.size = size
        self.cause = cause
        self.bare = bare
        self._plt = plt
        self._symbols = symbols
        self.answer = lru_cache(MAX_CACHED)(self._answer)

    def _answer(self, vaddr: int) -> Answer:
        """The frames of a virtual address of the file."""
        if self._plt and self._plt.holds(vaddr):
            return self._stub(vaddr)
        frames = self._frames(vaddr)
        return Answer(frames) if frames else self._unnamed(vaddr)

    def _unnamed(self, vaddr: int) -> Answer:
        return unnamed(
            self.cause or "no_symbol", self.name, vaddr, build_id=self.build_id, address=vaddr
        )

    def _stub(self, vaddr: int) -> Answer:
        """Symbol tables have nothing for stubs: the nearest function would take them all."""
        found = self._plt.lookup(vaddr) if self._plt else None
        if found is None:
            return self._unnamed(vaddr)
        function = f"{demangle(found[0])}@plt"
        return Answer((self._frame(function, address=found[1]),))

    def _frames(self, vaddr: int) -> tuple[Frame, ...]:
        if self._symbols is None or self.elf is None or not self.elf.holds_code(vaddr):
            return ()
        base = self.elf.image_base
        if vaddr < base:
            return ()
        try:
            locations = self._symbols.lookup(vaddr - base)  # type: ignore[no-untyped-call]
        except SymbolicError:
            return ()
        locations.reverse()  # symbolic gives the innermost first
        if not locations or locations[0].symbol in _NAMELESS:
            return ()
        # Names that stand in a supplementary file are not known: what is inlined may have none.
        return tuple(
            self._frame(
                demangle(location.symbol),
                file=printable(location.full_path or ""),
                line=location.line,
                # What is inlined has no first instruction of its own.
                address=0 if depth else location.sym_addr + base,
                inlined=depth > 0,
            )
            for depth, location in enumerate(locations)
            if location.symbol not in _NAMELESS
        )

    def _frame(
        self, function: str, file: str = "", line: int = 0, address: int = 0, inlined: bool = False
    ) -> Frame:
        return Frame(
            function,
            file=file,
            line=line,
            binary=self.name,
            build_id=self.build_id,
            address=address,
            inlined=inlined,
        )
