"""Which versions of what each host runs, and has run: a row a host.

A blob is JSON, compressed: `[["checkout","prod","","1.4",began_ns,last_ns,number], …]`. It is read
and written whole, once a minute and when something is new; a row a version would be a hundred
writes instead.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import orjson
import sqlalchemy as sa
import zstandard

from server.store.database import insert_new
from server.store.deploys import Program, Version
from server.store.schema import running

MOST_VERSIONS = 16
"""Of a program, those seen last: a name that compilers give all that they make has thousands."""

MOST = 2000
"""In all; a node has some 100 services and programs."""

_MOST_BYTES = 64 << 20
"""2,000 with four labels of 1 KiB are 8 MiB; six times that if JSON escapes all of it."""


@dataclass(frozen=True, slots=True)
class Run:
    """Since when and until when a host has been seen with a version, but for times in which it
    was away; `number` is that of its deploy that the host counts in, 0 for none."""

    began_ns: int
    last_ns: int
    number: int = 0


Runs = dict[Version, Run]


def take(transaction: sa.Connection, tenant: str, host_name: str) -> Runs:
    """What is known of a host; nobody else takes it until the transaction ends."""
    key = {"tenant": tenant, "host_name": host_name}
    insert_new(transaction, running, **key, last_ns=0, versions=b"")
    wanted = sa.select(running.c.versions).where(*_is(tenant, host_name)).with_for_update()
    blob = transaction.execute(wanted).scalar_one()
    if not blob:
        return {}
    plain = zstandard.ZstdDecompressor().decompress(blob, max_output_size=_MOST_BYTES)
    return {
        Version(Program(service, environment, executable), name): Run(*run)
        for service, environment, executable, name, *run in orjson.loads(plain)
    }


def write(transaction: sa.Connection, tenant: str, host_name: str, runs: Runs) -> None:
    """For whoever has taken it."""
    rows = [
        (*version.program, version.name, run.began_ns, run.last_ns, run.number)
        for version, run in runs.items()
    ]
    values = {
        "last_ns": max((run.last_ns for run in runs.values()), default=0),
        "versions": zstandard.ZstdCompressor(level=1).compress(orjson.dumps(rows)),
    }
    transaction.execute(running.update().where(*_is(tenant, host_name)).values(values))


def bounded(runs: Runs) -> Runs:
    """Those seen last."""
    kept: Runs = {}
    of_program = Counter[Program]()
    newest: Iterable[tuple[Version, Run]] = sorted(
        runs.items(), key=lambda item: item[1].last_ns, reverse=True
    )
    for version, run in newest:
        if of_program[version.program] < MOST_VERSIONS and len(kept) < MOST:
            of_program[version.program] += 1
            kept[version] = run
    return kept


def drop(transaction: sa.Connection, tenant: str, before_ns: int) -> None:
    """Forgets the hosts that were last seen before a time."""
    old = (running.c.tenant == tenant, running.c.last_ns < before_ns)
    transaction.execute(running.delete().where(*old))


def _is(tenant: str, host_name: str) -> tuple[sa.ColumnElement[bool], ...]:
    return running.c.tenant == tenant, running.c.host_name == host_name
