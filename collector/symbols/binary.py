"""One ELF file as far as it could be read: names for its addresses."""

from collections.abc import Sequence
from functools import lru_cache

from collector.elf.code import Code
from collector.elf.file import Elf
from collector.processes.text import printable
from collector.symbols.answer import Answer, unnamed
from collector.symbols.demangle import demangle
from collector.symbols.location import Location, Names
from collector.symbols.plt import Plt
from profiler.model import Frame

MAX_CACHED = 4096
"""Addresses of one file, some 300 bytes each."""


class Binary:
    """`cause` says why there are no symbols, "" where there are some; `bare`: the file has none but
    those that it exports. The first of `names` that knows an address is believed."""

    def __init__(
        self,
        name: str,
        elf: Elf | None,
        build_id: str = "",
        plt: Plt | None = None,
        names: Sequence[Names] = (),
        cause: str = "",
        bare: bool = False,
    ) -> None:
        self.name = name
        self.build_id = build_id
        self.size = sum(source.size for source in names)
        self.cause = cause
        self.bare = bare
        self._code = Code(elf) if elf else None
        self._plt = plt
        self._names = names
        self.at = lru_cache(MAX_CACHED)(self._at)

    def _at(self, offset: int) -> Answer | None:
        """The frames of a byte of the file; None where it is in no segment that is executed."""
        vaddr = self._code.address_of(offset) if self._code else None
        return None if vaddr is None else self.answer(vaddr)

    def answer(self, vaddr: int) -> Answer:
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
        if self._code is None or not self._code.holds(vaddr):
            return ()
        found = (names.lookup(vaddr) for names in self._names)
        locations: Sequence[Location] = next(filter(None, found), ())
        return tuple(
            self._frame(
                demangle(location.function),
                file=printable(location.file),
                line=location.line,
                # What is inlined has no first instruction of its own.
                address=0 if depth else location.start,
                inlined=depth > 0,
            )
            for depth, location in enumerate(locations)
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
