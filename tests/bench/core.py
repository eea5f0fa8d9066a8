"""What the analysis of one large profile costs: the size of a fleet's service over a week.

python -m tests.bench.core
"""

import statistics
import time
from collections.abc import Callable
from functools import partial

from profiler.analysis import flamegraph, forest, top, tree
from profiler.formats import FORMATS
from tests.builders import random_profile

NODES = 200_000
FUNCTIONS = 50_000
ROUNDS = 7


def main() -> None:
    profile = random_profile(NODES, FUNCTIONS)
    other = random_profile(NODES, FUNCTIONS, seed=2)
    print(
        f"a profile of {len(profile.parents):,} nodes, {len(profile.frames):,} functions, "
        f"{int(tree.depths(profile.parents).max())} frames deep; median of {ROUNDS}"
    )
    merged = tree.merge([profile])
    measure("merge one", lambda: tree.merge([profile]))
    measure("merge two", lambda: tree.merge([profile, other]))
    measure("flamegraph of 20,000 nodes", lambda: flamegraph.build(merged))
    measure("flamegraph of all nodes", lambda: flamegraph.build(merged, NODES * 2))
    measure("table of all functions", lambda: top.functions(forest.of(merged)))
    for format in FORMATS.values():
        measure(f"write {format.name}", partial(format.dumps, merged))


def measure(name: str, work: Callable[[], object]) -> None:
    times_ms = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times_ms.append((time.perf_counter() - started) * 1000)
    print(f"  {name:28} {statistics.median(times_ms):7.1f} ms")


if __name__ == "__main__":
    main()
