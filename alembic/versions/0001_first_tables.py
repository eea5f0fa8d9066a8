"""First tables: scopes, series and their labels, symbol logs, samples, accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "scope",
        sa.Column("scope_id", NUMBER, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("scope_id", name="pk_scope"),
        sa.UniqueConstraint("tenant", "service", name="uq_scope_tenant_service"),
    )
    op.create_table(
        "series",
        sa.Column("scope_id", sa.BigInteger, nullable=False),
        sa.Column("series_id", sa.Integer, nullable=False),
        sa.Column("profile_type", sa.Text, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("labels_hash", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["scope_id"], ["scope.scope_id"], name="fk_series_scope_id"),
        sa.PrimaryKeyConstraint("scope_id", "series_id", name="pk_series"),
        sa.UniqueConstraint("scope_id", "labels_hash", name="uq_series_scope_id_labels_hash"),
    )
    op.create_table(
        "label",
        sa.Column("scope_id", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("series_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("scope_id", "name", "value", "series_id", name="pk_label"),
    )
    for name in ("frame_log", "node_log"):
        op.create_table(
            name,
            sa.Column("scope_id", sa.BigInteger, nullable=False),
            sa.Column("epoch", sa.Integer, nullable=False),
            sa.Column("first_id", sa.Integer, nullable=False),
            sa.Column("n", sa.Integer, nullable=False),
            sa.Column("blob", sa.LargeBinary, nullable=False),
            sa.PrimaryKeyConstraint("scope_id", "epoch", "first_id", name=f"pk_{name}"),
        )
    op.create_table(
        "hot",
        sa.Column("scope_id", sa.BigInteger, nullable=False),
        sa.Column("series_id", sa.Integer, nullable=False),
        sa.Column("t0_ns", sa.BigInteger, nullable=False),
        sa.Column("uid", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("duration_ns", sa.BigInteger, nullable=False),
        sa.Column("period", sa.BigInteger, nullable=False),
        sa.Column("samples", sa.BigInteger, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("blob", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("scope_id", "series_id", "t0_ns", "uid", name="pk_hot"),
    )
    op.create_table(
        "drain",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("host_name", sa.Text, nullable=False),
        sa.Column("profile_type", sa.Text, nullable=False),
        sa.Column("t0_ns", sa.BigInteger, nullable=False),
        sa.Column("uid", sa.BigInteger, nullable=False),
        sa.Column("duration_ns", sa.BigInteger, nullable=False),
        sa.Column("taken", sa.BigInteger, nullable=False),
        sa.Column("stored", sa.BigInteger, nullable=False),
        sa.Column("losses", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant", "host_name", "profile_type", "t0_ns", "uid", name="pk_drain"
        ),
    )
    op.create_index(
        "ix_drain_tenant_profile_type_t0_ns", "drain", ["tenant", "profile_type", "t0_ns"]
    )


def downgrade() -> None:
    for name in ("drain", "hot", "node_log", "frame_log", "label", "series", "scope"):
        op.drop_table(name)
