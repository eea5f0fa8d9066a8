"""Chunks of an hour, rollups over hours and days, and which of these are out of date."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = ("hour", "series_id", "epoch", "period", "part")


def upgrade() -> None:
    op.add_column("series", sa.Column("last_hour", sa.Integer, nullable=False, server_default="-1"))
    op.create_table(
        "chunk",
        *_key(),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("times", sa.LargeBinary, nullable=False),
        sa.Column("entries", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("scope_id", "profile_type", *KEY, name="pk_chunk"),
    )
    op.create_table(
        "rollup",
        *_key(sa.Column("level", sa.Integer, nullable=False)),
        sa.Column("profiles", sa.BigInteger, nullable=False),
        sa.Column("samples", sa.BigInteger, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("sums", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("scope_id", "profile_type", "level", *KEY, name="pk_rollup"),
    )
    op.create_table(
        "stale",
        sa.Column("scope_id", sa.BigInteger, nullable=False),
        sa.Column("profile_type", sa.Text, nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("hour", sa.Integer, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("scope_id", "profile_type", "level", "hour", name="pk_stale"),
    )


def downgrade() -> None:
    """What was compacted is lost: the older version cannot read it."""
    for name in ("stale", "rollup", "chunk"):
        op.drop_table(name)
    op.drop_column("series", "last_hour")


def _key(*level: sa.Column[int]) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("scope_id", sa.BigInteger, nullable=False),
        sa.Column("profile_type", sa.Text, nullable=False),
        *level,
        sa.Column("hour", sa.Integer, nullable=False),
        sa.Column("series_id", sa.Integer, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("period", sa.BigInteger, nullable=False),
        sa.Column("part", sa.Integer, nullable=False),
    ]
