"""A PostgreSQL server of the tests' own: in a temporary folder, on a free port, gone at the end.

Debian keeps its programs away from PATH, in /usr/lib/postgresql/VERSION/bin, and none of them
runs as root: then they run as the user `postgres`, or `nobody`.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from tests.processes import free_address

_USERS = ("postgres", "nobody")
MEMORY, LOG = "1g", "128MB"
"""At most: a database takes 8 MB, and tests drop what they made."""


class PostgresMissingError(Exception):
    """There is no PostgreSQL to start; says what is missing."""


class Postgres:
    """A running server."""

    def __init__(self, port: int, user: pwd.struct_passwd | None) -> None:
        self._port = port
        self._user = user
        self._numbers = count(1)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    def create_database(self, template: str = "template1") -> str:
        """The URL of a new database, a copy of another one; without tables if none is named."""
        name = f"test_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        self._execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    @contextmanager
    def database_in(self, folder: Path) -> Iterator[str]:
        """The URL of a new database whose tables stand in an empty folder; drops it at the end."""
        if self._user is not None:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)
        name = f"test_{next(self._numbers)}"
        self._execute(f"CREATE TABLESPACE {name} LOCATION '{folder}'")
        self._execute(f"CREATE DATABASE {name} TABLESPACE {name}")
        yield self.url(name)
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")
        self._execute(f"DROP TABLESPACE {name}")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)


def programs() -> Path:
    """The folder of initdb and pg_ctl; the newest version where there are several."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    raise PostgresMissingError("PostgreSQL is not installed (apt-get install postgresql)")


@contextmanager
def running(in_memory: bool = False) -> Iterator[Postgres]:
    """A server from entry to exit; raises PostgresMissingError. `in_memory` where that may be
    mounted: a database is 300 files, which a disk takes four times as long to make."""
    bin, user = programs(), _user()
    port = int(free_address().rpartition(":")[2])
    # Not in pytest's folders: those are closed to other users, such as `postgres`.
    with TemporaryDirectory(prefix="profiler-postgres-") as name:
        folder = Path(name)
        with _mounted(folder) if in_memory else nullcontext():
            if user is not None:
                os.chown(folder, user.pw_uid, user.pw_gid)
            more = f"-c max_wal_size={LOG}" if in_memory else ""
            with _started(bin, folder, user, port, more):
                yield Postgres(port, user)


@contextmanager
def _mounted(folder: Path) -> Iterator[None]:
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MEMORY}", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True).returncode == 0
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def _started(
    bin: Path, folder: Path, user: pwd.struct_passwd | None, port: int, more: str
) -> Iterator[None]:
    # Without fsync: nothing here has to outlive the power.
    options = f"-p {port} -h 127.0.0.1 -c fsync=off -k {folder} {more}"

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [bin / program, "-D", folder / "data", *arguments],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )

    run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield
    finally:
        run("pg_ctl", "-w", "-m", "immediate", "stop")


def _user() -> pwd.struct_passwd | None:
    """Whom to run as: None for ourselves."""
    if os.getuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in _USERS:
        if name in known:
            return known[name]
    raise PostgresMissingError(f"root may not run PostgreSQL, and there is no user {_USERS}")


def _version(folder: Path) -> float:
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0
