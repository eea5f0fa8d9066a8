"""What a benchmark measured, as lines of JSON beside what it prints: bench-results/NAME.jsonl.

{"name": "sqlite3 complete stacks", "value": 99.9, "unit": "%", "demand": ">= 99", "met": true,
 "ratio_to": "frame pointers", "ratio": 41.2}
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

FOLDER = Path(__file__).parents[2] / "bench-results"


@dataclass(frozen=True, slots=True)
class Figure:
    """`what` was measured of a program. `at_least` or `at_most` is what the project demands of it,
    if anything; `beside` is the value of what it is compared with, `ratio_to`."""

    program: str
    what: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    ratio_to: str = ""
    beside: float | None = None

    @property
    def name(self) -> str:
        return f"{self.program} {self.what}"

    @property
    def demand(self) -> str:
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return f"<= {self.at_most:g}" if self.at_most is not None else ""

    @property
    def met(self) -> bool | None:
        if self.at_least is not None:
            return self.value >= self.at_least
        return self.value <= self.at_most if self.at_most is not None else None

    def as_json(self) -> str:
        ratio = self.value / self.beside if self.beside else None
        return json.dumps(
            {
                "name": self.name,
                "value": round(self.value, 4),
                "unit": self.unit,
                "demand": self.demand,
                "met": self.met,
                "ratio_to": self.ratio_to,
                "ratio": ratio and round(ratio, 4),
            },
            ensure_ascii=False,
        )


class Report:
    """Keeps figures, and writes each at once, so that a run that is stopped leaves what it had."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._figures: list[Figure] = []

    def add(self, *figures: Figure) -> str:
        """For a row of a table: `yes` where these meet their demands, else which do not."""
        self._figures += figures
        for figure in figures:
            print(figure.as_json(), file=self._file, flush=True)
        below = figures_below(figures)
        return f"not {', '.join(figure.what for figure in below)}" if below else "yes"

    def conclude(self) -> None:
        """Prints how many demands are met, and which are not."""
        demands = [figure for figure in self._figures if figure.met is not None]
        below = figures_below(demands)
        print(f"\n{len(demands) - len(below)} of {len(demands)} demands are met")
        for figure in below:
            print(f"  not: {_short(figure)}")
        print(f"figures: {self._file.name}")


@contextmanager
def report(name: str) -> Iterator[Report]:
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{name}.jsonl").open("w") as file:
        kept = Report(file)
        yield kept
        kept.conclude()


def figures_below(figures: Iterable[Figure]) -> list[Figure]:
    return [figure for figure in figures if figure.met is False]


def _short(figure: Figure) -> str:
    return f"{figure.name} {figure.value:.4g} {figure.unit}, demanded {figure.demand}"
