"""Which version of a service came when, and what each host runs."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deploy",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("executable", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("began_ns", sa.BigInteger, nullable=False),
        sa.Column("last_ns", sa.BigInteger, nullable=False),
        sa.Column("change", sa.Boolean, nullable=False),
        sa.Column("posted", sa.Boolean, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("revision", sa.Text, nullable=False),
        sa.Column("host_name", sa.Text, nullable=False),
        sa.Column("hosts", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key", "number", name="pk_deploy"),
    )
    op.create_index("ix_deploy_tenant_service", "deploy", ["tenant", "service"])
    op.create_index("ix_deploy_tenant_began_ns", "deploy", ["tenant", "began_ns"])
    op.create_table(
        "running",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("host_name", sa.Text, nullable=False),
        sa.Column("last_ns", sa.BigInteger, nullable=False),
        sa.Column("versions", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "host_name", name="pk_running"),
    )


def downgrade() -> None:
    op.drop_table("running")
    op.drop_table("deploy")
