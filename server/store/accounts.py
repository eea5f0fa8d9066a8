"""What each batch claims to have taken, and what became of it: taken == stored + all losses.

A batch's accounts are written in the transaction of its samples, so their row is also the proof
that the batch has been stored.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from server.store.database import insert_new
from server.store.hours import TimeRange
from server.store.schema import drain

_HOSTS_A_STATEMENT = 1000


@dataclass(frozen=True, slots=True)
class Accounts:
    """Samples of some batches; `losses` by cause."""

    taken: int = 0
    stored: int = 0
    losses: Mapping[str, int] = field(default_factory=dict)


def add(
    transaction: sa.Connection,
    tenant: str,
    uid: int,
    *,
    host_name: str,
    profile_type: str,
    window: TimeRange,
    accounts: Accounts,
) -> bool:
    """Writes the accounts of the batch `uid`; False where that has been done before."""
    return insert_new(
        transaction,
        drain,
        tenant=tenant,
        host_name=host_name,
        profile_type=profile_type,
        t0_ns=window.from_ns,
        uid=uid,
        duration_ns=window.to_ns - window.from_ns,
        taken=accounts.taken,
        stored=accounts.stored,
        losses=json.dumps(accounts.losses, sort_keys=True),
    )


def read(
    transaction: sa.Connection,
    tenant: str,
    profile_type: str,
    within: TimeRange,
    hosts: Collection[str] | None = None,
) -> Accounts:
    """The sums over all batches that begin in the range, or over those of `hosts`."""
    taken, stored, losses = 0, 0, Counter[str]()
    sums = sa.select(sa.func.sum(drain.c.taken), sa.func.sum(drain.c.stored))
    for chosen in _chosen(tenant, profile_type, within, hosts):
        row = transaction.execute(sums.where(*chosen)).one()
        taken, stored = taken + int(row[0] or 0), stored + int(row[1] or 0)
        lossy = sa.select(drain.c.losses).where(*chosen, drain.c.losses != "{}")
        for text in transaction.execute(lossy).scalars():
            losses.update(json.loads(text))
    return Accounts(taken, stored, dict(losses))


def hosts(
    transaction: sa.Connection, tenant: str, profile_type: str, within: TimeRange
) -> list[str]:
    """The hosts of the batches that begin in the range."""
    (chosen,) = _chosen(tenant, profile_type, within, None)
    return list(
        transaction.execute(sa.select(drain.c.host_name).where(*chosen).distinct()).scalars()
    )


def _chosen(
    tenant: str, profile_type: str, within: TimeRange, hosts: Collection[str] | None
) -> list[tuple[sa.ColumnElement[bool], ...]]:
    every = (
        drain.c.tenant == tenant,
        drain.c.profile_type == profile_type,
        drain.c.t0_ns >= within.from_ns,
        drain.c.t0_ns < within.to_ns,
    )
    if hosts is None:
        return [every]
    names = sorted(hosts)
    return [
        (*every, drain.c.host_name.in_(names[start : start + _HOSTS_A_STATEMENT]))
        for start in range(0, len(names), _HOSTS_A_STATEMENT)
    ]
