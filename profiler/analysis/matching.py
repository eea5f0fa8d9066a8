"""Which names of two builds mean one function: compilers number clones, lambdas and hashes anew.

>>> canonical("parse.isra.0.cold"), canonical("core::fmt::write::h0123456789abcdef")
('parse', 'core::fmt::write')

A name that both sides have stands for itself, and so do its relatives that both sides have: the
hot and the cold part of a function are two, as long as both builds have both. Only where the
sides differ do all relatives become one function. Threads are relatives whose names differ in
numbers alone: pools have other sizes, and programs name threads after their version.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from profiler.analysis.grouping import FunctionKey
from profiler.model import Kind

# A name may be 16 KiB of what begins like one of these and does not end so: what is repeated has a
# bound, so that it takes time linear in its length.
_CLONES = re.compile(
    # GCC's and LLVM's clones; https://gcc.gnu.org/onlinedocs/gccint/ and LLVM's ThinLTO promotion.
    r"(\.(cold|llvm|constprop|isra|part|lto_priv|localalias|lto|clone|warm|hot|unlikely)(\.\d+)*"
    r"|\.__uniq\.\d+"  # -funique-internal-linkage-names
    r"| ?\[clone [^\]]{0,100}\]){1,8}$"  # demanglers write them so
)
_RUST_HASH = re.compile(r"::h[0-9a-f]{16}$")
_NUMBERS = (
    (re.compile(r"\)#\d+\}"), ")}"),  # GCC: {lambda(int)#1}
    (re.compile(r"\{unnamed type#\d+\}"), "{unnamed type}"),
    (re.compile(r"'lambda\d*'"), "'lambda'"),  # LLVM's demangler
    (re.compile(r"\$_\d+"), "$_"),  # clang
    (re.compile(r"\{\{closure\}\}#\d+|\{closure#\d+\}"), "{{closure}}"),  # Rust, legacy and v0
    (re.compile(r"(?<=\.)func\d+(\.\d+)*"), "func"),  # Go
    (re.compile(r"\$\$Lambda(\$\d+|\.)?(/0x[0-9a-f]+|/\d+)?"), "$$Lambda"),  # the JVM
    (re.compile(r"\b0x[0-9a-f]+\b"), "0x"),
)
_KNOWN = 1 << 16
"""Functions whose families are remembered: the same builds are compared again and again, and eleven
expressions take 10 us a name."""

_DIGITS = re.compile(r"\d+")
_VERSION = re.compile(r"(\.so)[.\d]+$|-\d+(\.\d+)*(?=\.so$)")


def canonical(name: str) -> str:
    """The name without what a compiler numbers, hashes or clones."""
    bare = _RUST_HASH.sub("", _CLONES.sub("", name)) or name
    for pattern, shorter in _NUMBERS:
        bare = pattern.sub(shorter, bare)
    return bare


def shared(
    baseline: Iterable[FunctionKey], candidate: Iterable[FunctionKey]
) -> Mapping[FunctionKey, FunctionKey]:
    """The function that each of both sides' stands for: itself, or one for all its relatives."""
    sides = (set(baseline), set(candidate))
    stands_for = {key: key for key in sides[0] | sides[1]}
    if sides[0] == sides[1]:
        return stands_for
    for family, (before, after) in _families(sides, _relatives).items():
        if before and after and before != after:
            stands = family if family[3] is Kind.THREAD else _shown(before | after)
            stands_for.update(dict.fromkeys(before | after, stands))
    strangers = (sides[0] - sides[1], sides[1] - sides[0])
    alone = tuple({key for key in side if stands_for[key] == key} for side in strangers)
    for before, after in _families(alone, _namesakes).values():
        if len(before) == len(after) == 1:
            stands_for.update(dict.fromkeys(before | after, _shown(before | after)))
    return stands_for


def _families(
    sides: Sequence[set[FunctionKey]], family: Callable[[FunctionKey], FunctionKey]
) -> Mapping[FunctionKey, tuple[set[FunctionKey], set[FunctionKey]]]:
    """Those of each side by `family`; markers have none."""
    found: dict[FunctionKey, tuple[set[FunctionKey], set[FunctionKey]]]
    found = defaultdict(lambda: (set(), set()))
    for number, keys in enumerate(sides):
        for key in keys:
            if key[3] is not Kind.MARKER:
                found[family(key)][number].add(key)
    return found


@lru_cache(_KNOWN)
def _relatives(key: FunctionKey) -> FunctionKey:
    """What all builds have in common, for folders differ where builds do (`/app/1.4/libx.so.3`)."""
    function, file, binary, kind = key
    if kind is Kind.THREAD:
        return _DIGITS.sub("#", function), file, binary, kind
    name = _VERSION.sub(r"\1", binary.rpartition("/")[2])
    return canonical(function), file.rpartition("/")[2], name, kind


@lru_cache(_KNOWN)
def _namesakes(key: FunctionKey) -> FunctionKey:
    """The same wherever the function stands: it was moved, or has no debug information in one of
    the builds. Many may share a name, so that this alone tells who is who only of one a side.
    Threads stand nowhere else."""
    return key if key[3] is Kind.THREAD else (canonical(key[0]), "", "", key[3])


def _shown(keys: set[FunctionKey]) -> FunctionKey:
    """The plainest: the shortest name, under which the function is known without its clones."""
    function, file, binary, kind = min(keys, key=lambda key: (len(key[0]), key))
    return canonical(function), file, binary, kind
