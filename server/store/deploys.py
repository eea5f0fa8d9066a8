"""Deploys: which version of a service came when, as hosts were seen to run it or as somebody said.

A row whose `change` is false is none: it is what ran when its service was first seen. It is kept
to know what is new.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

import sqlalchemy as sa

from server.store.database import insert_all_new, insert_new
from server.store.hours import DAY_HOURS, HOUR_NS, TimeRange
from server.store.schema import deploy

DAY_NS = DAY_HOURS * HOUR_NS

_A_STATEMENT = 1000


class Program(NamedTuple):
    """What has versions: a service in an environment; of one whose version nobody gives, each
    executable, whose builds stand for it. "" where there is none."""

    service: str
    environment: str
    executable: str


class Version(NamedTuple):
    program: Program
    name: str

    @property
    def key(self) -> bytes:
        """128 bits: nobody finds two versions with equal keys."""
        return _key(self)


@lru_cache(maxsize=1 << 14)
def _key(version: Version) -> bytes:
    """A host's are asked for once a minute."""
    text = json.dumps([*version.program, version.name])
    return blake2b(text.encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Deploy:
    """`host_name` is the first of so many `hosts` that were seen with it, the last one at
    `last_ns`; `previous` is what there was before, as far as that is known."""

    version: Version
    number: int
    began_ns: int
    last_ns: int
    change: bool = True
    posted: bool = False
    previous: str = ""
    revision: str = ""
    host_name: str = ""
    hosts: int = 0


@dataclass(frozen=True, slots=True)
class Sight:
    """What is to be added to a deploy: so many hosts more, the first of them `host_name`."""

    last_ns: int = 0
    host_name: str = ""
    hosts: int = 0
    revision: str = ""

    def __add__(self, other: "Sight") -> "Sight":
        return Sight(
            max(self.last_ns, other.last_ns),
            self.host_name or other.host_name,
            self.hosts + other.hosts,
            self.revision or other.revision,
        )


def latest(
    transaction: sa.Connection, tenant: str, versions: Collection[Version]
) -> dict[Version, Deploy]:
    """The last deploy of each version that has one."""
    keys = sorted(version.key for version in versions)
    found: dict[Version, Deploy] = {}
    for start in range(0, len(keys), _A_STATEMENT):
        some = deploy.c.key.in_(keys[start : start + _A_STATEMENT])
        for one in _read(transaction, tenant, some, order=[deploy.c.began_ns, deploy.c.number]):
            found[one.version] = one
    return found


def rival(
    transaction: sa.Connection, tenant: str, version: Version, after_ns: int, before_ns: int
) -> Deploy | None:
    """The last deploy of another version of the program that began between two times."""
    others = (*_of(version.program), deploy.c.key != version.key)
    between = (deploy.c.began_ns > after_ns, deploy.c.began_ns < before_ns)
    order = [deploy.c.began_ns.desc(), deploy.c.key]
    return next(_read(transaction, tenant, *others, *between, order=order, limit=1), None)


def opened(transaction: sa.Connection, tenant: str, to_ns: int, program: Program) -> int:
    """How many rows of the service and environment began in the day before a time."""
    mine = (deploy.c.service == program.service, deploy.c.environment == program.environment)
    return _count(transaction, tenant, to_ns, *mine)


def opened_in_all(transaction: sa.Connection, tenant: str, to_ns: int, *, builds: bool) -> int:
    """The same of all services: of builds, or of versions that were given."""
    kind = deploy.c.executable != "" if builds else deploy.c.executable == ""
    return _count(transaction, tenant, to_ns, kind)


def highest(transaction: sa.Connection, tenant: str, version: Version) -> int:
    """The highest number of a version's deploys, 0 where it has none."""
    mine = (deploy.c.tenant == tenant, deploy.c.key == version.key)
    return int(
        transaction.execute(sa.select(sa.func.max(deploy.c.number)).where(*mine)).scalar() or 0
    )


def add(transaction: sa.Connection, tenant: str, new: Iterable[Deploy]) -> None:
    """Adds those that another server has not added meanwhile, in the order of their keys, so that
    no two wait for each other in a circle."""
    rows = sorted((_row(tenant, one) for one in new), key=lambda row: (row["key"], row["number"]))
    if rows:
        insert_all_new(transaction, deploy, rows, [deploy.c.number])


def see(
    transaction: sa.Connection, tenant: str, sights: Mapping[tuple[Version, int], Sight]
) -> None:
    """Adds to deploys, by version and number, in the same order."""
    rows = [
        {
            "of_key": version.key,
            "of_number": number,
            "seen_ns": sight.last_ns,
            "more": sight.hosts,
            "first_host": sight.host_name,
            "its_revision": sight.revision,
        }
        for (version, number), sight in sights.items()
    ]
    if rows:
        rows.sort(key=lambda row: (row["of_key"], row["of_number"]))
        transaction.execute(_SEE, [{"of_tenant": tenant, **row} for row in rows])


def post(
    transaction: sa.Connection, tenant: str, version: Version, revision: str, time_ns: int
) -> tuple[Deploy, bool]:
    """The deploy of which somebody says that it was made at a time; true if it is new.

    It is one that is known if nothing else was deployed in between.
    """
    while True:
        known = list(_read(transaction, tenant, *_of(version.program), order=_NEWEST))
        others = [one for one in known if one.version != version]
        same = [one for one in known if one.version == version]
        for one in same:
            other_revision = one.revision and revision and one.revision != revision
            if not other_revision and not _between(others, one.began_ns, time_ns):
                return _posted(transaction, tenant, one, revision, time_ns), False
        before = (one.version.name for one in others if one.began_ns <= time_ns)
        number = max((one.number for one in same), default=0) + 1
        made = Deploy(version, number, time_ns, time_ns, True, True, next(before, ""), revision)
        if insert_new(transaction, deploy, **_row(tenant, made)):
            return made, True


def select(
    transaction: sa.Connection, tenant: str, within: TimeRange, services: Collection[str] | None
) -> Iterator[Deploy]:
    """The deploys of some services (None: of all) in the range, the newest first."""
    chosen = [
        deploy.c.change,
        deploy.c.began_ns >= within.from_ns,
        deploy.c.began_ns < within.to_ns,
    ]
    if services is not None and len(services) <= _A_STATEMENT:
        chosen.append(deploy.c.service.in_(sorted(services)))
    for one in _read(transaction, tenant, *chosen, order=_NEWEST):
        if services is None or one.version.program.service in services:
            yield one


def drop(transaction: sa.Connection, tenant: str, before_ns: int) -> None:
    """Forgets what was last seen before a time."""
    old = (deploy.c.tenant == tenant, deploy.c.last_ns < before_ns)
    transaction.execute(deploy.delete().where(*old))


def _posted(
    transaction: sa.Connection, tenant: str, one: Deploy, revision: str, time_ns: int
) -> Deploy:
    """What ran when its service was first seen becomes a deploy of the time that is said."""
    began_ns = one.began_ns if one.change else time_ns
    revision = one.revision or revision
    changed = replace(one, began_ns=began_ns, change=True, posted=True, revision=revision)
    row = _row(tenant, changed)
    mine = (deploy.c.tenant == tenant, deploy.c.key == row["key"], deploy.c.number == one.number)
    names = ("began_ns", "change", "posted", "revision")
    transaction.execute(deploy.update().where(*mine).values({name: row[name] for name in names}))
    return changed


def _between(others: Iterable[Deploy], *times_ns: int) -> bool:
    """Whether one of them was made between two times."""
    return any(one.change and min(times_ns) < one.began_ns < max(times_ns) for one in others)


def _of(program: Program) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        deploy.c.service == program.service,
        deploy.c.environment == program.environment,
        deploy.c.executable == program.executable,
    )


def _count(
    transaction: sa.Connection, tenant: str, to_ns: int, *chosen: sa.ColumnElement[bool]
) -> int:
    day = (deploy.c.began_ns > to_ns - DAY_NS, deploy.c.began_ns <= to_ns)
    wanted = sa.select(sa.func.count()).where(deploy.c.tenant == tenant, *day, *chosen)
    return transaction.execute(wanted).scalar_one()


_NEWEST = [deploy.c.began_ns.desc(), deploy.c.service, deploy.c.key, deploy.c.number]

_COLUMNS = (
    *(deploy.c.service, deploy.c.environment, deploy.c.executable, deploy.c.version),
    *(deploy.c.number, deploy.c.began_ns, deploy.c.last_ns, deploy.c.change, deploy.c.posted),
    *(deploy.c.previous, deploy.c.revision, deploy.c.host_name, deploy.c.hosts),
)


def _read(
    transaction: sa.Connection,
    tenant: str,
    *chosen: sa.ColumnElement[bool],
    order: Collection[sa.ColumnElement[object]] = (),
    limit: int | None = None,
) -> Iterator[Deploy]:
    wanted = sa.select(*_COLUMNS).where(deploy.c.tenant == tenant, *chosen)
    for service, environment, executable, name, *rest in transaction.execute(
        wanted.order_by(*order).limit(limit)
    ):
        yield Deploy(Version(Program(service, environment, executable), name), *rest)


def _row(tenant: str, one: Deploy) -> dict[str, object]:
    service, environment, executable = one.version.program
    return {
        "tenant": tenant,
        "key": one.version.key,
        "number": one.number,
        "service": service,
        "environment": environment,
        "executable": executable,
        "version": one.version.name,
        "began_ns": one.began_ns,
        "last_ns": one.last_ns,
        "change": one.change,
        "posted": one.posted,
        "previous": one.previous,
        "revision": one.revision,
        "host_name": one.host_name,
        "hosts": one.hosts,
    }


def _if_empty(column: sa.Column[str], name: str) -> sa.ColumnElement[str]:
    return sa.case((column == "", sa.bindparam(name, type_=sa.Text)), else_=column)


_SEEN_NS = sa.bindparam("seen_ns", type_=sa.BigInteger)

_SEE = (
    deploy.update()
    .where(
        deploy.c.tenant == sa.bindparam("of_tenant"),
        deploy.c.key == sa.bindparam("of_key"),
        deploy.c.number == sa.bindparam("of_number"),
    )
    .values(
        last_ns=sa.case((deploy.c.last_ns < _SEEN_NS, _SEEN_NS), else_=deploy.c.last_ns),
        hosts=deploy.c.hosts + sa.bindparam("more", type_=sa.Integer),
        host_name=_if_empty(deploy.c.host_name, "first_host"),
        revision=_if_empty(deploy.c.revision, "its_revision"),
    )
)
