"""Which series a query is about, as conditions on the tables that hold samples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

_A_STATEMENT = 1000
"""SQLite takes 32,766 parameters a statement, and a thousand keys are planned in no time."""


@dataclass(frozen=True, slots=True)
class Group:
    """Series of a profile type: some of one scope, or (`numbers` is None) all of some scopes.

    All: there are no others that may have samples in the range that is asked for.
    """

    profile_type: str
    scope_ids: tuple[int, ...]
    numbers: tuple[int, ...] | None = None

    @property
    def whole(self) -> bool:
        return self.numbers is None

    def batches(self) -> Iterator["Group"]:
        """The same in groups for a statement each."""
        if self.numbers is None:
            for scope_ids in _slices(self.scope_ids):
                yield replace(self, scope_ids=scope_ids)
        else:
            for numbers in _slices(self.numbers):
                yield replace(self, numbers=numbers)

    def among(self, table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
        """The condition on a table with these columns; the first ones of its key."""
        conditions: tuple[sa.ColumnElement[bool], ...] = (
            table.c.scope_id.in_(self.scope_ids),
            table.c.profile_type == self.profile_type,
        )
        if self.numbers is None:
            return conditions
        return (*conditions, table.c.series_id.in_(self.numbers))


def _slices(numbers: Sequence[int]) -> Iterator[tuple[int, ...]]:
    for start in range(0, len(numbers), _A_STATEMENT):
        yield tuple(numbers[start : start + _A_STATEMENT])
