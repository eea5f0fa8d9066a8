"""What `profiler top` shows, and the keys that it hears."""

import os
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from profiler.cli.query import STYLES, cell, losses
from profiler.cli.terminal import printable, share
from profiler.errors import UnavailableError
from profiler.timerange import SECOND

SORTS = ("self", "total")

WIDTH = 200
"""Columns where the output is no terminal."""

_LINES_AROUND = 5
"""Headline, accounts, the head of the table, the keys, and one that the terminal keeps."""


@dataclass(slots=True)
class View:
    """`name` says of what; `trouble` why nothing newer is shown, `why` where there is nothing."""

    name: str
    sort: str
    paused: bool = False
    trouble: str = ""
    why: Callable[[], str] = lambda: ""

    def press(self, key: str) -> None:
        if key == "s":
            self.sort = SORTS[1 - SORTS.index(self.sort)]
        elif key == "p":
            self.paused = not self.paused

    def render(self, top: Mapping[str, Any], height: int | None = None) -> Group:
        """For so many lines; without them all rows, and no keys. Raises UnavailableError where the
        answer is none of this version's."""
        try:
            shown = [Text(self._headline(top), style="bold"), Text(losses(top["accounts"]))]
            if not top["total"]["samples"] and (why := self.why()):
                shown.append(Text(why))
            rows = max(height - _LINES_AROUND, 1) if height else None
            table = self._table(top, rows)
        except (KeyError, TypeError) as error:
            raise UnavailableError(
                f"the server answers otherwise than this version reads: {error!r}"
            ) from None
        return Group(*shown, table, *([self._keys()] if height else []))

    def _headline(self, top: Mapping[str, Any]) -> str:
        total, seconds, hosts = top["total"], top["seconds"], top["coverage"]["hosts"]
        rate = f"{total['samples'] / max(seconds, 1e-9):,.0f} samples/s"
        of = f"{hosts:,} host{'s' if hosts != 1 else ''}"
        cost = _rate(total["value"], top["unit"], seconds)
        return f"{printable(self.name)}: {cost}, {rate} of {of}, {seconds:.0f} s by {self.sort}"

    def _table(self, top: Mapping[str, Any], rows: int | None) -> Table:
        table = Table(box=None, pad_edge=False)
        for title in ("self", "", "total", ""):
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("function")
        table.add_column("binary", style="dim")
        whole, unit, seconds = top["total"]["value"], top["unit"], top["seconds"]
        for row in top["functions"][:rows]:
            table.add_row(
                share(row["self"], whole),
                _rate(row["self"], unit, seconds),
                share(row["total"], whole),
                _rate(row["total"], unit, seconds),
                cell(row["function"], STYLES.get(row["kind"], "")),
                cell(row["binary"]),
            )
        return table

    def _keys(self) -> Text:
        state = " (paused)" if self.paused else ""
        trouble = f"  {printable(self.trouble)}" if self.trouble else ""
        return Text(f"q quit  s sort  p pause{state}{trouble}", style="reverse", no_wrap=True)


def _rate(value: int, unit: str, seconds: float) -> str:
    """`1.52 cores`, `312 /s`."""
    if unit == "nanoseconds":
        return f"{value / SECOND / max(seconds, 1e-9):,.2f} cores"
    return f"{value / max(seconds, 1e-9):,.0f} /s" if unit == "count" else f"{value:,} {unit}"


@contextmanager
def keys() -> Iterator[Callable[[float], str]]:
    """Waits so many seconds for a key of the terminal; "" where none was pressed."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)

    def read(seconds: float) -> str:
        ready, _, _ = select.select([terminal], [], [], seconds)
        return os.read(terminal, 1).decode("latin-1").lower() if ready else ""

    try:
        tty.setcbreak(terminal)
        yield read
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
