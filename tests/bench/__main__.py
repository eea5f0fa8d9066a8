"""Runs benchmarks: python -m tests.bench [kernel symbols …]; all of them without a name."""

import importlib
import sys

NAMES = [
    *("kernel", "stacks", "collector", "sessions", "tables", "symbols", "delivery", "core"),
    *("server", "web"),
]


def main(names: list[str]) -> None:
    unknown = set(names) - set(NAMES)
    if unknown:
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}: there are {', '.join(NAMES)}")
    for name in names or NAMES:
        print(f"\n## {name}\n\nmake bench ARGS={name}\n", flush=True)
        importlib.import_module(f"tests.bench.{name}").main()


main(sys.argv[1:])
