"""How often the gate alarms where nothing changed, measured on one's own history.

Units of one side are divided by chance into two sides, again and again, and judged as if they were
two. Whatever real profiles have that no simulation has is in them. The rate is that of tests of
half as many units, whose other divisions share units, so that its error is larger than it says.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from profiler.analysis.counts import Counts
from profiler.analysis.estimate import MIN_UNITS
from profiler.analysis.gate import Terms, judge
from profiler.analysis.grouping import FunctionKey
from profiler.errors import NotComparable

DIVISIONS = 200
SEED = 7


@dataclass(frozen=True, slots=True)
class Calibration:
    divisions: int
    alarms: int
    units: int
    terms: Terms

    @property
    def rate(self) -> float:
        return self.alarms / self.divisions

    @property
    def error(self) -> float:
        """Standard error, if the divisions were independent."""
        return math.sqrt(max(self.rate * (1 - self.rate), 1 / self.divisions) / self.divisions)


def measure(
    units: Counts, keys: Sequence[FunctionKey], terms: Terms, divisions: int = DIVISIONS
) -> Calibration:
    """Raises NotComparable for fewer units than two sides need."""
    if units.units < 2 * MIN_UNITS:
        raise NotComparable(
            f"{units.units} units: two sides need {2 * MIN_UNITS}, and more tell more"
        )
    alone = replace(units, hosts=("",) * units.units)
    random = np.random.default_rng(SEED)
    half = units.units // 2
    alarms = 0
    for _ in range(divisions):
        order = random.permutation(units.units).tolist()
        sides = (alone.ordered(order[:half]), alone.ordered(order[half:]))
        alarms += bool(judge(sides, keys, terms).failures)
    return Calibration(divisions, alarms, units.units, terms)
