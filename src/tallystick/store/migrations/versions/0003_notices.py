"""Notices that were said, and how far accounts and the quarantine have been looked at."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

Big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Bytewise = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
CLUSTERED: dict[str, Any] = {"sqlite_strict": True, "sqlite_with_rowid": False}


def upgrade() -> None:
    op.create_table(
        "notice",
        sa.Column("account_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("subject", Bytewise, nullable=False),
        sa.Column("period", sa.Text, nullable=False),
        sa.Column("threshold", sa.Text, nullable=False),
        sa.Column("said_at", Big, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_notice"),
        sa.UniqueConstraint(
            "account_id",
            "event",
            "subject",
            "period",
            "threshold",
            name="uq_notice_account_id_event_subject_period_threshold",
        ),
        **CLUSTERED,
    )
    op.create_index("ix_notice_account_id_said_at_id", "notice", ["account_id", "said_at", "id"])
    op.create_index("ix_notice_said_at_id", "notice", ["said_at", "id"])
    op.create_table(
        "notice_mark",
        sa.Column("account_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("version", Big, nullable=False),
        sa.Column("announced", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_notice_mark"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_notice_mark_account_id"),
        **CLUSTERED,
    )
    waiting = sa.text("announced = 0")
    op.create_index(
        "ix_notice_mark_announced",
        "notice_mark",
        ["announced"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.add_column("rejected_item", sa.Column("told", sa.Integer, nullable=False, server_default="0"))
    waiting = sa.text("told = 0")
    op.create_index("ix_rejected_item_told", "rejected_item", ["told"], sqlite_where=waiting, postgresql_where=waiting)
    # What there is already is no news.
    op.execute(
        "INSERT INTO notice_mark (account_id, version, announced) SELECT account_id, version, 1 FROM account_state"
    )
    op.execute("UPDATE rejected_item SET told = 1")
