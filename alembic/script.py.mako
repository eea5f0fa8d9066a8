"""${message}.

Locks: `profiler migrate` and every starting server run this in one transaction under one lock
(PostgreSQL: an advisory lock; SQLite: the writer's). Servers go on writing meanwhile, so on
PostgreSQL a table may only be locked for as long as a change of the catalogue takes: add columns
as nullable or with a constant default, fill them in later; create the index of a large table with
`if_not_exists`, so that its owner can build it concurrently before.
"""

import sqlalchemy as sa

from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
