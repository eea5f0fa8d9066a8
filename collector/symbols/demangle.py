"""Names as their language writes them, from the names that its compiler gave to the linker.

    >>> demangle("_ZNSt6vectorIiSaIiEE9push_backERKi")
    'std::vector<int, std::allocator<int> >::push_back(int const&)'

Go's generic functions are shown as its own tools do, `main.Map[...]`, without the shapes of their
types. C names pass unchanged, and so does what is not understood or stands for too much text:
symbol tables are hostile. libstdc++ expands substitutions and packs without a bound, so a name of
335 bytes can cost seconds and gigabytes; how far a name could expand is estimated beforehand.
"""

import re
from functools import lru_cache

import cxxfilt

from collector.processes.text import printable
from collector.symbols import rust

MAX_CACHED = 8192
"""Names. What is inlined everywhere is asked for again and again."""
MAX_MANGLED = 1024
"""Characters. The longest of 148,111 C++ names of libclang, LLVM and node has 545."""
MAX_EXPANSION = 1e6
"""Printed parts, about 50 ms at worst. Leaves 71 of those 148,111 names as they are."""

_REFERENCE = re.compile(r"[ST][0-9A-Z]*_")
_PACK = re.compile(r"Dp|sp")

_GO_SHAPES = re.compile(r"\[go\.shape\..*\]", re.DOTALL)
_LINKER_SUFFIX = re.compile(r"@@?[A-Z][\w.]*$|\.cold(\.\d+)?$")
"""A symbol's version, and gcc's mark of the part of a function that is seldom executed: it is the
same function, and its whole is named so where that part comes first in the file."""


@lru_cache(MAX_CACHED)
def demangle(name: str) -> str:
    """The printable name; never raises."""
    name = _LINKER_SUFFIX.sub("", _GO_SHAPES.sub("[...]", name))
    if len(name) <= MAX_MANGLED:
        if name.startswith("_R") or (name.startswith("_ZN") and "17h" in name):
            try:
                return printable(rust.demangle(name))
            except rust.NotRust:
                pass
        if name.startswith("_Z") and _expansion(name) <= MAX_EXPANSION:
            return printable(_cpp(name))
    return printable(name)


def _expansion(name: str) -> float:
    """An upper estimate of the parts that a C++ name expands to.

    n references multiply a text by 3^(n/3) = 1.45^n at most (each level of a chain repeats the
    one before three times). d nested pack expansions whose packs share the name's l characters
    print (l/d)^d elements.
    """
    packs = len(_PACK.findall(name))
    elements = (len(name) / packs) ** packs if packs else 1.0
    return elements * 1.45 ** len(_REFERENCE.findall(name))


def _cpp(name: str) -> str:
    try:
        return str(cxxfilt.demangle(name))
    except (cxxfilt.Error, UnicodeError):  # not a name after all, or no libstdc++ here
        return name
