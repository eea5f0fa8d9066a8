"""A table of figures with those of the naive layouts A and B beside them."""

from dataclasses import dataclass

from tests.bench.report import Figure, Report

ROW = "{:<40} {:>10} {:<11} {:>10} {:>9} {:>8} {:>9} {:>8} {:>8}  {}".format
HEADER = ("", "ours", "", "CPU alone", "demand", "A", "B", "beside A", "B", "demands met")


@dataclass(frozen=True, slots=True)
class Beside:
    """The naive layouts' value of the same, and how many times better ours is to be."""

    a: float | None = None
    b: float | None = None
    times_a: float | None = None
    times_b: float | None = None


NOTHING = Beside()


class Table:
    """Prints rows, and reports their figures."""

    def __init__(self, engine: str, kept: Report) -> None:
        self._engine = engine
        self._kept = kept
        print(f"\n{engine}\n{ROW(*HEADER)}", flush=True)

    def add(
        self,
        what: str,
        value: float,
        unit: str,
        at_least: float | None = None,
        at_most: float | None = None,
        beside: Beside = NOTHING,
        cpu: float | None = None,
    ) -> None:
        """`cpu`: the value by CPU time alone."""
        a, b = beside.a, beside.b
        name = "A" if a else "B"
        figures = [Figure(self._engine, what, value, unit, at_least, at_most, name, a or b)]
        if cpu is not None:
            figures.append(Figure(self._engine, f"{what}, CPU alone", cpu, unit))
        ratios = []
        for other, theirs, times in (("A", a, beside.times_a), ("B", b, beside.times_b)):
            ratio = better(value, theirs, unit) if theirs else None
            ratios.append(ratio)
            if ratio and times:
                beside_it = f"{what}, beside {other}"
                figures.append(Figure(self._engine, beside_it, ratio, "times", at_least=times))
        met = self._kept.add(*figures)
        demand = figures[0].demand
        cells = [short(number) for number in (a, b)]
        cells += [f"{short(ratio)} x" if ratio else "" for ratio in ratios]
        print(
            ROW(
                what,
                short(value),
                unit,
                short(cpu),
                demand,
                *cells,
                met if figures[0].demand else "",
            ),
            flush=True,
        )


def better(ours: float, theirs: float, unit: str) -> float:
    return ours / theirs if unit.endswith("/s") else theirs / ours


def short(number: float | None) -> str:
    return "" if number is None else f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
