"""Names from a SymCache, the table that `symbolic` makes of an object file and reads in place."""

from symbolic.exceptions import SymbolicError
from symbolic.symcache import SymCache

from collector.symbols.location import Location

_NAMELESS = ("", "?")


class SymCacheNames:
    """See `Names`. Addresses of a SymCache count from the file's image base."""

    def __init__(self, symbols: SymCache, size: int, image_base: int) -> None:
        self.size = size
        self._symbols = symbols
        self._base = image_base

    def lookup(self, address: int) -> list[Location]:
        if address < self._base:
            return []
        try:
            found = self._symbols.lookup(address - self._base)
        except SymbolicError:
            return []
        # The innermost comes first. Names that stand in a supplementary file are not known: what
        # is inlined may have none.
        locations = [
            Location(each.symbol, each.full_path or "", each.line, each.sym_addr + self._base)
            for each in reversed(found)
            if each.symbol not in _NAMELESS or each is found[-1]
        ]
        return locations if locations and locations[0].function not in _NAMELESS else []
