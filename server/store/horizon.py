"""How far back each level of detail reaches, for a tenant and profile type.

The row says what may be read; deleting what lies before is then only tidying up, which may be
interrupted anywhere. So a query that sees the row of its snapshot is exact, and whoever takes a
batch holds the row, so that nothing arrives where detail has been given up.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from server.store.database import insert_new
from server.store.hours import HOUR_NS, TimeRange
from server.store.schema import horizon

_MINUTE_NS = HOUR_NS // 60


@dataclass(frozen=True, slots=True)
class Horizon:
    """Hours since 1970: hour <= minute <= raw, thinned <= raw.

    Before `raw` no batch is taken and ranges count to the minute; before `thinned` profiles are
    merged to minutes; before `minute` only sums of hours are left, before `hour` nothing.
    """

    raw: int = 0
    thinned: int = 0
    minute: int = 0
    hour: int = 0

    def clip(self, within: TimeRange) -> TimeRange:
        """The range in whole units of what is kept at its ends. A unit belongs to a range when it
        begins there, as a profile does."""
        return TimeRange(self._clipped(within.from_ns), self._clipped(within.to_ns))

    def _clipped(self, edge_ns: int) -> int:
        if edge_ns >= self.raw * HOUR_NS:
            return edge_ns
        if edge_ns >= self.minute * HOUR_NS:
            return -(-edge_ns // _MINUTE_NS) * _MINUTE_NS
        return max(-(-edge_ns // HOUR_NS), self.hour) * HOUR_NS


def read(transaction: sa.Connection, tenant: str, profile_type: str) -> Horizon:
    return _found(transaction, _wanted(tenant, profile_type)) or Horizon()


def hold(transaction: sa.Connection, tenant: str, profile_type: str) -> Horizon:
    """The same, and it does not move until the transaction ends."""
    wanted = _wanted(tenant, profile_type).with_for_update(read=True)
    while (found := _found(transaction, wanted)) is None:
        key = {"tenant": tenant, "profile_type": profile_type}
        insert_new(transaction, horizon, **key, **_columns(Horizon()))
    return found


def take(transaction: sa.Connection, tenant: str, profile_type: str) -> Horizon:
    """The same, and nobody else holds or takes it until the transaction ends."""
    return _found(transaction, _wanted(tenant, profile_type).with_for_update()) or Horizon()


def write(transaction: sa.Connection, tenant: str, profile_type: str, moved: Horizon) -> None:
    """For whoever has taken it."""
    mine = (horizon.c.tenant == tenant, horizon.c.profile_type == profile_type)
    transaction.execute(horizon.update().where(*mine).values(**_columns(moved)))


def profile_types(transaction: sa.Connection, tenant: str) -> list[str]:
    """Those that have a horizon: all of which something was stored."""
    wanted = sa.select(horizon.c.profile_type).where(horizon.c.tenant == tenant)
    return sorted(transaction.execute(wanted).scalars())


def _found(
    transaction: sa.Connection, wanted: sa.Select[tuple[int, int, int, int]]
) -> Horizon | None:
    row = transaction.execute(wanted).one_or_none()
    return None if row is None else Horizon(row.raw, row.thinned, row.minute, row.hour)


def _wanted(tenant: str, profile_type: str) -> sa.Select[tuple[int, int, int, int]]:
    columns = (horizon.c.raw, horizon.c.thinned, horizon.c.minute, horizon.c.hour)
    return sa.select(*columns).where(
        horizon.c.tenant == tenant, horizon.c.profile_type == profile_type
    )


def _columns(moved: Horizon) -> dict[str, int]:
    return {name: getattr(moved, name) for name in Horizon.__slots__}
