"""The series of a selection by the value of a label."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add

from server.query.selection import Selection
from server.query.timeline import SeriesKey
from server.store.totals import Totals


@dataclass(frozen=True, slots=True)
class ByLabel:
    """The values with the largest sums, largest first, "" for series without the label; the sums of
    all `others`; and for each series the number of its value, or one beyond."""

    totals: dict[str, Totals]
    others: int
    rest: Totals
    lines: Mapping[SeriesKey, int]


def by_label(selection: Selection, name: str, limit: int) -> ByLabel:
    totals: defaultdict[str, Totals] = defaultdict(Totals)
    for series in selection.series:
        totals[series.labels.get(name, "")] += selection.total(series)
    ranked = sorted(totals.items(), key=lambda item: (-item[1].value, -item[1].samples, item[0]))
    shown = dict(ranked[:limit])
    place = {value: number for number, value in enumerate(shown)}
    return ByLabel(
        shown,
        len(ranked) - len(shown),
        reduce(add, (total for _, total in ranked[limit:]), Totals()),
        {
            (series.scope_id, series.series_id): place.get(series.labels.get(name, ""), len(shown))
            for series in selection.series
        },
    )
