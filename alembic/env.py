"""Runs migrations on the connection that `server.store.migrations` gives.

Called by Alembic's own command instead (`alembic revision --autogenerate -m …`), it opens
PROFILER_DATABASE, which should be a scratch database at the newest revision.
"""

import os

import sqlalchemy as sa
from alembic import context

from server.store.database import Database
from server.store.schema import metadata


def run(connection: sa.Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    url = os.environ.get("PROFILER_DATABASE", "sqlite:///profiler.db")
    with Database(url) as database, database.write() as transaction:
        run(transaction)
