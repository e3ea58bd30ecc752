"""Voided jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    bytewise = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "voided_job",
        sa.Column("account_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("job_id", bytewise, nullable=False),
        sa.Column("voided_at", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "job_id", name="pk_voided_job"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
