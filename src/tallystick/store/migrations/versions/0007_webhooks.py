"""Webhook endpoints, deliveries to them, and their attempts."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

Big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
CLUSTERED: dict[str, Any] = {"sqlite_strict": True, "sqlite_with_rowid": False}


def upgrade() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("events", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("created_at", Big, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("old_secret", sa.Text),
        sa.Column("old_secret_until", Big),
        sa.Column("failing_since", Big),
        sa.Column("off_since", Big),
        sa.Column("off_reason", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_endpoint"),
        **CLUSTERED,
    )
    op.create_index("ix_webhook_endpoint_account_id", "webhook_endpoint", ["account_id"])
    _deliveries()
    op.create_table(
        "webhook_attempt",
        *_place(),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("at", Big, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("milliseconds", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("account_id", "endpoint_id", "notice_id", "number", name="pk_webhook_attempt"),
        sa.ForeignKeyConstraint(
            ["account_id", "endpoint_id", "notice_id"],
            ["webhook_delivery.account_id", "webhook_delivery.endpoint_id", "webhook_delivery.notice_id"],
            name="fk_webhook_attempt_account_id_endpoint_id_notice_id",
            ondelete="CASCADE",
        ),
        **CLUSTERED,
    )


def _place() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("account_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("endpoint_id", sa.Text, nullable=False),
        sa.Column("notice_id", sa.Text, nullable=False),
    )


def _deliveries() -> None:
    table = "webhook_delivery"
    op.create_table(
        table,
        *_place(),
        sa.Column("notice_account_id", sa.Integer, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("state", sa.Integer, nullable=False),
        sa.Column("due_at", Big, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("since", sa.Integer, nullable=False),
        sa.Column("created_at", Big, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "endpoint_id", "notice_id", name="pk_webhook_delivery"),
        **CLUSTERED,
    )
    waiting: dict[str, Any] = {"sqlite_where": sa.text("state = 0"), "postgresql_where": sa.text("state = 0")}
    op.create_index("ix_webhook_delivery_waiting", table, ["account_id", "endpoint_id", "due_at"], **waiting)
    op.create_index("ix_webhook_delivery_due", table, ["due_at"], **waiting)
    op.create_index("ix_webhook_delivery_listing", table, ["account_id", "endpoint_id", "created_at", "notice_id"])
    op.create_index("ix_webhook_delivery_created_at", table, ["created_at"])
