"""Budgets of accounts and keys."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "budget",
        sa.Column("account_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("key_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("amount", sa.Text, nullable=False),
        sa.Column("thresholds", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "key_id", name="pk_budget"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_budget_account_id"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
