"""Statements and the public keys that they are signed with."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "statement",
        sa.Column("account_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("month", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("jobs", big, nullable=False),
        sa.Column("final_cost", sa.Text, nullable=False),
        sa.Column("closed_at", big, nullable=False),
        sa.Column("signed_by", sa.Text, nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "month", name="pk_statement"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "signing_key",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("created_at", big, nullable=False),
        sa.Column("signed_by", sa.Text),
        sa.Column("signature", sa.Text),
        sa.PrimaryKeyConstraint("number", name="pk_signing_key"),
        sa.UniqueConstraint("id", name="uq_signing_key_id"),
        sqlite_strict=True,
    )
