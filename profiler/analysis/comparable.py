"""Whether two sides can be compared at all, and what to say with the comparison.

A profile at 1 kHz beside one at 100 Hz is no growth by 900 %: values in nanoseconds compare, and
the notice says that counts of samples do not. What no scaling mends is refused.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from profiler.errors import NotComparable
from profiler.model import ROOT, Profile

MAX_UNNAMED = 0.25
"""By how much of all samples more frames may be without a name on one side: a function without its
name is none of the other side's functions, and all of them would seem to vanish."""

MAX_TOTAL = 2**62
"""Of a side's values, which are added up as doubles: these may be above what they are of."""

_ARCHITECTURE = "host_arch"


def check(baseline: Sequence[Profile], candidate: Sequence[Profile]) -> tuple[str, ...]:
    """What people should know; raises NotComparable with what differs."""
    sides = {"baseline": baseline, "candidate": candidate}
    for name, units in sides.items():
        if not any(unit.total_value for unit in units):
            raise NotComparable(f"the {name} has no samples")
        if (total := sum(unit.total_value for unit in units)) > MAX_TOTAL:
            raise NotComparable(f"the {name} adds up to {total:,}, more than {MAX_TOTAL:,}")
    _one(sides, "types", lambda unit: f"{unit.type.name} in {unit.type.unit}")
    _one(sides, "architectures", lambda unit: dict(unit.labels).get(_ARCHITECTURE, ""))
    before, after = _unnamed((baseline, candidate))
    if abs(before - after) > MAX_UNNAMED:
        raise NotComparable(
            f"{before:.0%} of the baseline's samples and {after:.0%} of the candidate's"
            " are in functions without a name: one of them lacks symbols"
        )
    return tuple(_notices(baseline, candidate))


def _one(sides: Mapping[str, Sequence[Profile]], what: str, of: Callable[[Profile], str]) -> None:
    """Raises where units differ in what must be one; "" is not known, and differs from nothing."""
    found = {name: sorted({of(unit) for unit in units} - {""}) for name, units in sides.items()}
    if len(set().union(*found.values())) > 1:
        shown = "; ".join(f"{name}: {', '.join(each)}" for name, each in found.items() if each)
        raise NotComparable(f"different {what}: {shown}")


def _unnamed(sides: Sequence[Sequence[Profile]]) -> Iterator[float]:
    """The part of all samples of each that is in frames without a name themselves."""
    nodes: dict[tuple[int, int], NDArray[np.intp]] = {}  # units may share the columns of a tree
    for units in sides:
        unnamed = samples = 0
        for unit in units:
            tree = id(unit.frames), id(unit.node_frames)
            if tree not in nodes:
                names = [frame.function.startswith("[unknown]") for frame in unit.frames]
                # The root's frame is -1, the last one.
                nodes[tree] = np.flatnonzero(np.array([*names, False], bool)[unit.node_frames])
            unnamed += int(unit.samples[nodes[tree]].sum())
            samples += unit.total_samples - int(unit.samples[ROOT])
        yield unnamed / samples if samples else 0.0


def _notices(baseline: Sequence[Profile], candidate: Sequence[Profile]) -> Iterator[str]:
    rates = [sorted({unit.period for unit in units}) for units in (baseline, candidate)]
    if rates[0] != rates[1]:
        yield (
            f"sampled at different rates ({_rates(rates[0])}, {_rates(rates[1])}): costs are"
            " compared by value; numbers of samples do not compare"
        )


def _rates(periods: Sequence[int]) -> str:
    shown = [f"a sample each {period:,}" if period else "varying" for period in periods]
    return " and ".join(shown[:3]) + (" …" if len(shown) > 3 else "")
