"""How far back each level of detail reaches, which chunks are thinned, when epochs began."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "horizon",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("profile_type", sa.Text, nullable=False),
        sa.Column("raw", sa.Integer, nullable=False),
        sa.Column("thinned", sa.Integer, nullable=False),
        sa.Column("minute", sa.Integer, nullable=False),
        sa.Column("hour", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "profile_type", name="pk_horizon"),
    )
    op.add_column(
        "chunk", sa.Column("thinned", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.add_column("scope", sa.Column("began_ns", sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("scope", "began_ns")
    op.drop_column("chunk", "thinned")
    op.drop_table("horizon")
