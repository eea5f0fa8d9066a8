"""The tables. `alembic/` brings a database to them; a test compares the two.

A *scope* is one service of a tenant: the space of its symbol and series numbers, and what a
distributed database shards by (`distribution`), so every unique key of what belongs to a scope
begins with it. Symbols stand in append-only logs, an *epoch* of a scope each; samples name nodes of
a log. Times are Unix nanoseconds, as everywhere behind the HTTP API.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    false,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite numbers rows by itself only in a column of exactly the type INTEGER; its integers have
# 64 bits whatever the type is called.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

scope = Table(
    "scope",
    metadata,
    Column("scope_id", _NUMBER, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("service", Text, nullable=False),  # the label service_name, "" where there is none
    Column("epoch", Integer, nullable=False),  # the one that new samples are written in
    Column("began_ns", BigInteger, nullable=False, server_default="0"),  # the epoch
    UniqueConstraint("tenant", "service"),
)

series = Table(
    "series",
    metadata,
    Column("scope_id", BigInteger, ForeignKey("scope.scope_id"), nullable=False),
    Column("series_id", Integer, nullable=False),  # from 1 in each scope, no gaps
    Column("profile_type", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("labels", Text, nullable=False),  # a JSON object, names sorted
    Column("labels_hash", LargeBinary, nullable=False),  # of type, unit and labels
    Column("last_hour", Integer, nullable=False, server_default="-1"),  # of its chunks
    PrimaryKeyConstraint("scope_id", "series_id"),
    UniqueConstraint("scope_id", "labels_hash"),
)

label = Table(
    "label",
    metadata,
    Column("scope_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("series_id", Integer, nullable=False),
    PrimaryKeyConstraint("scope_id", "name", "value", "series_id"),
)


def _log(name: str) -> Table:
    """A log of numbered things: a row holds those from `first_id` to `first_id + n - 1`."""
    return Table(
        name,
        metadata,
        Column("scope_id", BigInteger, nullable=False),
        Column("epoch", Integer, nullable=False),
        Column("first_id", Integer, nullable=False),
        Column("n", Integer, nullable=False),
        Column("blob", LargeBinary, nullable=False),
        PrimaryKeyConstraint("scope_id", "epoch", "first_id"),
    )


frame_log = _log("frame_log")
node_log = _log("node_log")

# One row a series and batch: what was measured and is not yet compacted.
hot = Table(
    "hot",
    metadata,
    Column("scope_id", BigInteger, nullable=False),
    Column("series_id", Integer, nullable=False),
    Column("t0_ns", BigInteger, nullable=False),
    Column("uid", BigInteger, nullable=False),  # of the batch
    Column("epoch", Integer, nullable=False),  # of the nodes in the blob
    Column("duration_ns", BigInteger, nullable=False),
    Column("period", BigInteger, nullable=False),  # the value of one sample, 0: the blob says
    Column("samples", BigInteger, nullable=False),  # the sum of the blob's
    Column("value", BigInteger, nullable=False),  # the sum of the blob's
    Column("n", Integer, nullable=False),  # entries in the blob
    Column("blob", LargeBinary, nullable=False),
    PrimaryKeyConstraint("scope_id", "series_id", "t0_ns", "uid"),
)


def _of_series(*level: Column[int]) -> list[Column[Any]]:
    """The key of what is made of hot rows. Node numbers are of an epoch; the value of a sample is
    the period, 0: the blob says; a part holds as many entries as are read at once."""
    return [
        Column("scope_id", BigInteger, primary_key=True, autoincrement=False),
        Column("profile_type", Text, primary_key=True),
        *level,
        Column("hour", Integer, primary_key=True, autoincrement=False),  # since 1970
        Column("series_id", Integer, primary_key=True, autoincrement=False),
        Column("epoch", Integer, primary_key=True, autoincrement=False),
        Column("period", BigInteger, primary_key=True, autoincrement=False),
        Column("part", Integer, primary_key=True, autoincrement=False),
    ]


# The profiles of a series and hour. Their nodes are those of the rollup with the same key.
chunk = Table(
    "chunk",
    metadata,
    *_of_series(),
    Column("n", Integer, nullable=False),  # entries
    Column("thinned", Boolean, nullable=False, server_default=false()),  # merged to minutes
    Column("times", LargeBinary, nullable=False),
    Column("entries", LargeBinary, nullable=False),
)

# Sums over an hour or a day, of a series or (series 0) of all series of a scope and type.
rollup = Table(
    "rollup",
    metadata,
    *_of_series(Column("level", Integer, primary_key=True, autoincrement=False)),
    Column("profiles", BigInteger, nullable=False),
    Column("samples", BigInteger, nullable=False),
    Column("value", BigInteger, nullable=False),
    Column("n", Integer, nullable=False),  # nodes
    Column("sums", LargeBinary, nullable=False),
)

# What each function cost in each hour of a day, of all series of a scope and type. A bucket holds
# functions whose names begin alike when hashed, bucket 0 the sums of everything.
function_history = Table(
    "function_history",
    metadata,
    Column("scope_id", BigInteger, nullable=False),
    Column("profile_type", Text, nullable=False),
    Column("bucket", Integer, nullable=False),
    Column("hour", Integer, nullable=False),  # the first one of the day
    Column("n", Integer, nullable=False),  # functions
    Column("costs", LargeBinary, nullable=False),
    PrimaryKeyConstraint("scope_id", "profile_type", "bucket", "hour"),
)

# What the series of a scope and type counted in each minute of an hour.
minutes = Table(
    "minutes",
    metadata,
    Column("scope_id", BigInteger, nullable=False),
    Column("profile_type", Text, nullable=False),
    Column("hour", Integer, nullable=False),
    Column("sums", LargeBinary, nullable=False),
    PrimaryKeyConstraint("scope_id", "profile_type", "hour"),
)

# A row where the rollups over an hour or a day are older than what is below them; of an hour,
# its minutes too, of a day, its function history.
stale = Table(
    "stale",
    metadata,
    Column("scope_id", BigInteger, nullable=False),
    Column("profile_type", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("hour", Integer, nullable=False),  # the first one
    Column("version", BigInteger, nullable=False),  # another at each change
    PrimaryKeyConstraint("scope_id", "profile_type", "level", "hour"),
)

# How far back each level of detail reaches; all are hours.
horizon = Table(
    "horizon",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("profile_type", Text, nullable=False),
    Column("raw", Integer, nullable=False),
    Column("thinned", Integer, nullable=False),
    Column("minute", Integer, nullable=False),
    Column("hour", Integer, nullable=False),
    PrimaryKeyConstraint("tenant", "profile_type"),
)

# One row a batch: its accounts, and the proof that it has been stored. Before the horizon of what
# is raw, one row a host and minute or hour.
drain = Table(
    "drain",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("host_name", Text, nullable=False),
    Column("profile_type", Text, nullable=False),
    Column("t0_ns", BigInteger, nullable=False),
    Column("uid", BigInteger, nullable=False),
    Column("duration_ns", BigInteger, nullable=False),
    Column("taken", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False),
    Column("losses", Text, nullable=False),  # a JSON object, cause -> samples
    PrimaryKeyConstraint("tenant", "host_name", "profile_type", "t0_ns", "uid"),
    Index(None, "tenant", "profile_type", "t0_ns"),
)

# Which version of a service came when. A version may come again: `number` counts.
deploy = Table(
    "deploy",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),  # of the next four: they make no key of 2,704 bytes
    Column("number", Integer, nullable=False),
    Column("service", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("executable", Text, nullable=False),  # whose build the version is, "" if it was given
    Column("version", Text, nullable=False),
    Column("began_ns", BigInteger, nullable=False),
    Column("last_ns", BigInteger, nullable=False),  # to a minute
    Column("change", Boolean, nullable=False),  # no: it was there when its service was first seen
    Column("posted", Boolean, nullable=False),
    Column("previous", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("host_name", Text, nullable=False),  # the first that had it
    Column("hosts", Integer, nullable=False),  # how many had it since
    PrimaryKeyConstraint("tenant", "key", "number"),
    Index(None, "tenant", "service"),
    Index(None, "tenant", "began_ns"),
)

# What a host runs, and has run.
running = Table(
    "running",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("host_name", Text, nullable=False),
    Column("last_ns", BigInteger, nullable=False),
    Column("versions", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant", "host_name"),
)

# What a session (profiler.session) is on one host: a row from the time that it is asked for.
recording = Table(
    "recording",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("host_name", Text, nullable=False),
    Column("selector", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("frequency_hz", Integer, nullable=False),
    Column("duration_ns", BigInteger, nullable=False),
    Column("asked_ns", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("deadline_ns", BigInteger, nullable=False),  # of an open state
    Column("processes", Integer, nullable=False),
    Column("taken", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False),
    Column("losses", Text, nullable=False),  # a JSON object, cause -> samples
    Column("from_ns", BigInteger, nullable=False),  # by the node's clock; 0: nothing arrived
    Column("to_ns", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant", "session", "host_name"),
    Index(None, "tenant", "state"),
)

# How an alert's rule stands (server.store.alerts).
alert = Table(
    "alert",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("turn_ns", BigInteger, nullable=False),  # when a server took it to evaluate it
    Column("state", Text, nullable=False),
    Column("since_ns", BigInteger, nullable=False),
    Column("began_ns", BigInteger, nullable=False),  # to fire
    Column("evaluated_ns", BigInteger, nullable=False),
    Column("value", Double, nullable=True),
    Column("share", Double, nullable=True),
    Column("samples", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("told", Text, nullable=False),  # the state that the webhook heard of last
    PrimaryKeyConstraint("tenant", "rule"),
)
