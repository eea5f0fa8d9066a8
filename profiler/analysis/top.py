"""The table of functions: what each costs itself, and with everything that it calls."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from profiler.analysis.forest import Forest
from profiler.analysis.tree import Column
from profiler.model import Kind


class FunctionCost(NamedTuple):
    """One function's cost, in the unit of the profile's type and in samples.

    `total_*` counts a stack once, however often the function stands in it.
    """

    function: str
    file: str
    binary: str
    kind: Kind
    self_value: int
    total_value: int
    self_samples: int
    total_samples: int

    @property
    def row(self) -> dict[str, str | int]:
        """As the HTTP API names it."""
        return {
            "function": self.function,
            "file": self.file,
            "binary": self.binary,
            "kind": self.kind.name.lower(),
            "self": self.self_value,
            "total": self.total_value,
            "self_samples": self.self_samples,
            "total_samples": self.total_samples,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """The same as columns, an entry a number of a function."""

    self_values: Column
    totals: Column
    self_samples: Column
    samples: Column

    @property
    def held(self) -> NDArray[np.intp]:
        """The functions that have samples or values."""
        return np.flatnonzero(self.totals | self.samples)


@dataclass(frozen=True, slots=True)
class Top:
    """The first functions, and what all others cost themselves."""

    functions: list[FunctionCost]
    hidden: int
    hidden_self_value: int
    hidden_self_samples: int


def functions(trees: Forest, limit: int = 0, *, by_total: bool = False) -> Top:
    """The functions that cost most themselves, or (`by_total`) with all that they call, at most
    `limit` of them unless it is 0; threads are none."""
    found = costs(trees)
    held = found.held
    code = [trees.keys[number][-1] is not Kind.THREAD for number in held.tolist()]
    held = held[np.array(code, bool)]
    first, second = found.self_values[held], found.totals[held]
    if by_total:
        first, second = second, first
    order = held[np.lexsort((trees.ranks[held], -second, -first))]
    shown, others = np.split(order, [limit or len(order)])
    return Top(
        rows(trees, found, shown),
        len(others),
        int(found.self_values[others].sum()),
        int(found.self_samples[others].sum()),
    )


def rows(trees: Forest, costs: Costs, functions: NDArray[np.intp]) -> list[FunctionCost]:
    columns = (costs.self_values, costs.totals, costs.self_samples, costs.samples)
    numbers = zip(
        functions.tolist(), *(column[functions].tolist() for column in columns), strict=True
    )
    return [FunctionCost(*trees.keys[number], *sums) for number, *sums in numbers]


def costs(trees: Forest) -> Costs:
    """Of all functions, the threads' names among them."""
    found = Costs(*(np.zeros(len(trees.ranks), np.int64) for _ in range(4)))
    for tree in trees.trees:
        functions, outermost = tree.shape.functions, tree.shape.outermost
        np.add.at(found.self_values, functions[1:], tree.self_values[1:])
        np.add.at(found.self_samples, functions[1:], tree.self_samples[1:])
        np.add.at(found.totals, functions[outermost], tree.totals[outermost])
        np.add.at(found.samples, functions[outermost], tree.samples[outermost])
    return found
