"""How often verdicts are wrong: of the gate, of alerts, of movers and of changes in a history.

    make bench-gate ARGS="--simulations 200"
    make bench-gate ARGS=real

All that is simulated where no part is named; `real` records programs, for ten minutes, as root.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from tests.bench.report import report

SIMULATED = ("simulated", "deploys", "weeks", "levels", "places")
PARTS = (*SIMULATED, "real")
SIMULATIONS = 1000


def main(arguments: Sequence[str]) -> None:
    options = parsed(arguments)
    with report("bench-gate") as kept:
        for name in options.parts or SIMULATED:
            print(f"\n## {name}\n", flush=True)
            importlib.import_module(f"tests.bench.gate.{name}").measure(options, kept)


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-gate")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--simulations", type=int, default=SIMULATIONS, help="of each setting")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--times", type=int, default=10, help="to record each real program")
    parser.add_argument("--keep", metavar="FOLDER", help="leave what was recorded there")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}: there are {', '.join(PARTS)}")
    return options


main(sys.argv[1:])
