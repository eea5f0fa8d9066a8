"""What each function cost in each hour of a day, and what series counted in each minute."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ALL_DAY = 4


def upgrade() -> None:
    op.create_table(
        "function_history",
        sa.Column("scope_id", sa.BigInteger, nullable=False),
        sa.Column("profile_type", sa.Text, nullable=False),
        sa.Column("bucket", sa.Integer, nullable=False),
        sa.Column("hour", sa.Integer, nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("costs", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint(
            "scope_id", "profile_type", "bucket", "hour", name="pk_function_history"
        ),
    )
    op.create_table(
        "minutes",
        sa.Column("scope_id", sa.BigInteger, nullable=False),
        sa.Column("profile_type", sa.Text, nullable=False),
        sa.Column("hour", sa.Integer, nullable=False),
        sa.Column("sums", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("scope_id", "profile_type", "hour", name="pk_minutes"),
    )
    # The days that are summed up get theirs when they are summed up again.
    op.execute(
        "INSERT INTO stale (scope_id, profile_type, level, hour, version) "
        "SELECT DISTINCT scope_id, profile_type, level, hour, 0 FROM rollup "
        f"WHERE level = {ALL_DAY} AND NOT EXISTS (SELECT 1 FROM stale "
        "WHERE stale.scope_id = rollup.scope_id AND stale.profile_type = rollup.profile_type "
        "AND stale.level = rollup.level AND stale.hour = rollup.hour)"
    )


def downgrade() -> None:
    op.drop_table("minutes")
    op.drop_table("function_history")
