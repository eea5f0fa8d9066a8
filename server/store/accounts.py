"""What each batch claims to have taken, and what became of it: taken == stored + all losses.

A batch's accounts are written in the transaction of its samples, so their row is also the proof
that the batch has been stored.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from server.store.database import insert_all_new
from server.store.hours import HOUR_NS, TimeRange, hours_range
from server.store.schema import drain

_HOSTS_A_STATEMENT = 1000

_FOLDED = 0
"""Stands for the name of a batch where several are added up."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Samples of some batches; `losses` by cause."""

    taken: int = 0
    stored: int = 0
    losses: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Accounts") -> "Accounts":
        losses = Counter(self.losses)
        losses.update(other.losses)
        return Accounts(self.taken + other.taken, self.stored + other.stored, dict(losses))


@dataclass(frozen=True, slots=True)
class Batch:
    """The accounts of a batch, and its name: no other has the same `uid`."""

    uid: int
    host_name: str
    profile_type: str
    window: TimeRange
    accounts: Accounts


def add(transaction: sa.Connection, tenant: str, batches: Sequence[Batch]) -> list[bool]:
    """Writes the accounts of batches; False for each where that has been done before.

    Inserted in the order of their key, so that no two servers wait for each other in a circle.
    """
    rows = {
        (one.host_name, one.profile_type, one.window.from_ns, one.uid): {
            "tenant": tenant,
            "host_name": one.host_name,
            "profile_type": one.profile_type,
            "t0_ns": one.window.from_ns,
            "uid": one.uid,
            "duration_ns": one.window.to_ns - one.window.from_ns,
            "taken": one.accounts.taken,
            "stored": one.accounts.stored,
            "losses": json.dumps(one.accounts.losses, sort_keys=True),
        }
        for one in batches
    }
    key = (drain.c.host_name, drain.c.profile_type, drain.c.t0_ns, drain.c.uid)
    inserted = insert_all_new(transaction, drain, [rows[name] for name in sorted(rows)], key)
    new = set(inserted)
    found = []
    for name in ((b.host_name, b.profile_type, b.window.from_ns, b.uid) for b in batches):
        found.append(name in new)
        new.discard(name)  # the same batch twice
    return found


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


def by_time(
    transaction: sa.Connection,
    tenant: str,
    profile_type: str,
    within: TimeRange,
    step_ns: int,
    hosts: Collection[str] | None = None,
) -> dict[int, tuple[int, Accounts]]:
    """By start of a bucket, how many hosts there were and their sums."""
    names: defaultdict[int, set[str]] = defaultdict(set)
    found: defaultdict[int, Accounts] = defaultdict(Accounts)
    number = (drain.c.t0_ns // step_ns).label("number")
    sums = (sa.func.sum(drain.c.taken), sa.func.sum(drain.c.stored))
    for chosen in _chosen(tenant, profile_type, within, hosts):
        by_host = sa.select(number, drain.c.host_name, *sums).where(*chosen)
        for bucket, host_name, taken, stored in transaction.execute(
            by_host.group_by(number, drain.c.host_name)
        ):
            names[int(bucket)].add(host_name)
            found[int(bucket)] += Accounts(int(taken), int(stored))
        lossy = sa.select(number, drain.c.losses).where(*chosen, drain.c.losses != "{}")
        for bucket, text in transaction.execute(lossy):
            found[int(bucket)] += Accounts(losses=json.loads(text))
    return {bucket * step_ns: (len(names[bucket]), one) for bucket, one in found.items()}


def fold(
    transaction: sa.Connection, tenant: str, profile_type: str, within: TimeRange, unit_ns: int
) -> None:
    """Adds up the batches of each host that begin in the same unit of time. From then on there is
    no proof any more that a batch of that time is stored."""
    (chosen,) = _chosen(tenant, profile_type, within, None)
    removed = transaction.execute(
        drain.delete()
        .where(*chosen)
        .returning(drain.c.host_name, drain.c.t0_ns, drain.c.taken, drain.c.stored, drain.c.losses)
    )
    sums: defaultdict[tuple[str, int], Accounts] = defaultdict(Accounts)
    for host_name, t0_ns, taken, stored, losses in removed:
        sums[host_name, t0_ns // unit_ns * unit_ns] += Accounts(taken, stored, json.loads(losses))
    batches = [
        Batch(_FOLDED, host_name, profile_type, TimeRange(t0_ns, t0_ns + unit_ns), folded)
        for (host_name, t0_ns), folded in sums.items()
    ]
    if batches:
        add(transaction, tenant, batches)


def hours(transaction: sa.Connection, tenant: str, profile_type: str, within: range) -> list[int]:
    """Those of some hours in which batches begin."""
    (chosen,) = _chosen(tenant, profile_type, hours_range(within), None)
    wanted = sa.select(drain.c.t0_ns // HOUR_NS).where(*chosen).distinct()
    return sorted(map(int, transaction.execute(wanted).scalars()))


def drop(transaction: sa.Connection, tenant: str, profile_type: str, before_ns: int) -> None:
    """Forgets the batches that begin before a time."""
    (chosen,) = _chosen(tenant, profile_type, TimeRange(0, before_ns), None)
    transaction.execute(drain.delete().where(*chosen))


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
