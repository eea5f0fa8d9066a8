"""Brings a database to the tables that this code needs, and refuses one that is newer.

The migrations stand in `alembic/` at the root of the source tree, and in `server/alembic` of an
installed wheel.
"""

from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from profiler.errors import UnavailableError, UsageError
from server.store.database import Database

HEAD = "head"
EMPTY = "base"

_ADVISORY_LOCK = 0x70726F66696C6572  # "profiler"
_LOCK_TIMEOUT_MS = 300_000
"""Another server's migration of a large database may take minutes; wait for it."""


@cache
def head() -> str:
    """The revision that this code is written for."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    return newest or EMPTY


def current(database: Database) -> str:
    """The revision of the database, "base" where it is empty."""
    with database.read() as transaction:
        return _revision(transaction)


def migrate(database: Database, revision: str = HEAD) -> tuple[str, str]:
    """Brings the database to `revision`; (before, after). Several servers may do so at once.

    Raises UnavailableError where the database is newer than this code, UsageError for a revision
    that this code does not know.
    """
    target = _known(revision)
    with database.write() as transaction:
        if not database.sqlite:
            lock(transaction)
        before = _revision(transaction)
        _refuse_newer(database, before)
        config = _config()
        config.attributes["connection"] = transaction
        forward = target != EMPTY and (before == EMPTY or before <= target)
        (command.upgrade if forward else command.downgrade)(config, target)
        return before, _revision(transaction)


def lock(transaction: sa.Connection) -> None:
    """On PostgreSQL: nobody else changes tables until the transaction ends."""
    transaction.execute(sa.text(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MS}"))
    transaction.execute(sa.text("SET LOCAL statement_timeout = 0"))
    transaction.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))


def check(database: Database) -> None:
    """Raises UnavailableError with the next step unless the database is at this code's revision."""
    found = current(database)
    _refuse_newer(database, found)
    if found != head():
        raise UnavailableError(
            f"database {database.name} is at revision {found}, this profiler needs {head()}: "
            f"run `profiler migrate --database {database.name}`"
        )


def _refuse_newer(database: Database, revision: str) -> None:
    if revision not in _revisions():
        raise UnavailableError(
            f"database {database.name} is at revision {revision}, newer than this profiler "
            f"({head()}): install the profiler that wrote it, or name another --database"
        )


def _known(revision: str) -> str:
    target = head() if revision == HEAD else revision
    if target not in _revisions():
        raise UsageError(
            f"--revision {revision!r} is unknown; this profiler knows {', '.join(_revisions())}"
        )
    return target


@cache
def _revisions() -> tuple[str, ...]:
    """All that this code knows, oldest first; their names sort in their order."""
    scripts = ScriptDirectory.from_config(_config()).walk_revisions()
    return (EMPTY, *sorted(script.revision for script in scripts))


def _revision(transaction: sa.Connection) -> str:
    return MigrationContext.configure(transaction).get_current_revision() or EMPTY


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_scripts()).replace("%", "%%"))
    return config


def _scripts() -> Path:
    server = Path(__file__).resolve().parents[1]
    installed, source = server / "alembic", server.parent / "alembic"
    return installed if installed.is_dir() else source
