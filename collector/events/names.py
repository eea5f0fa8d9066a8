"""perf's names of what the kernel and the CPU count (linux/perf_event.h), and its other names."""

from itertools import product

from collector.kernel.perf_event import Counter

HARDWARE, SOFTWARE, CACHE, RAW = 0, 1, 3, 4

_SOFTWARE = (
    ("cpu-clock",),
    ("task-clock",),
    ("page-faults", "faults"),
    ("context-switches", "cs"),
    ("cpu-migrations", "migrations"),
    ("minor-faults",),
    ("major-faults",),
    ("alignment-faults",),
    ("emulation-faults",),
)
_HARDWARE = (
    ("cycles", "cpu-cycles"),
    ("instructions",),
    ("cache-references",),
    ("cache-misses",),
    ("branches", "branch-instructions"),
    ("branch-misses",),
    ("bus-cycles",),
    ("stalled-cycles-frontend", "idle-cycles-frontend"),
    ("stalled-cycles-backend", "idle-cycles-backend"),
    ("ref-cycles",),
)
_CACHES = ("L1-dcache", "L1-icache", "LLC", "dTLB", "iTLB", "branch", "node")
_OPERATIONS = (("loads", "load"), ("stores", "store"), ("prefetches", "prefetch"))

CLOCKS = ("cpu-clock", "task-clock")
"""What they count is nanoseconds."""


def _counters() -> dict[str, Counter]:
    found = {}
    for type_, names in ((SOFTWARE, _SOFTWARE), (HARDWARE, _HARDWARE)):
        for config, (name, *others) in enumerate(names):
            for each in (name, *others):
                found[each] = Counter(name, type_, config)
    places = product(enumerate(_CACHES), enumerate(_OPERATIONS))
    for (cache, of), (operation, (accesses, access)) in places:
        config = cache | operation << 8
        found[f"{of}-{accesses}"] = Counter(f"{of}-{accesses}", CACHE, config)
        misses = f"{of}-{access}-misses"
        found[misses] = Counter(misses, CACHE, config | 1 << 16)
    return found


COUNTERS = _counters()
"""By every name."""
