"""What sessions are on each host."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recording",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("host_name", sa.Text, nullable=False),
        sa.Column("selector", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("frequency_hz", sa.Integer, nullable=False),
        sa.Column("duration_ns", sa.BigInteger, nullable=False),
        sa.Column("asked_ns", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("deadline_ns", sa.BigInteger, nullable=False),
        sa.Column("processes", sa.Integer, nullable=False),
        sa.Column("taken", sa.BigInteger, nullable=False),
        sa.Column("stored", sa.BigInteger, nullable=False),
        sa.Column("losses", sa.Text, nullable=False),
        sa.Column("from_ns", sa.BigInteger, nullable=False),
        sa.Column("to_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "session", "host_name", name="pk_recording"),
    )
    op.create_index("ix_recording_tenant_state", "recording", ["tenant", "state"])


def downgrade() -> None:
    op.drop_table("recording")
