"""The first schema."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

Int = sa.Integer()
Big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Bytewise = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
STRICT: dict[str, Any] = {"sqlite_strict": True}
CLUSTERED: dict[str, Any] = {"sqlite_strict": True, "sqlite_with_rowid": False}


def _key(name: str, kind: sa.types.TypeEngine[Any] = Int) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    _accounts()
    _ledger()
    _plans()
    _access()
    _quarantine()
    _audit()


def _accounts() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", Bytewise, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("created_at", Big, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("name", name="uq_account_name"),
        **STRICT,
    )
    op.create_table(
        "account_state",
        sa.Column("account_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("version", Big, nullable=False),
        sa.Column("live_jobs", Big, nullable=False),
        sa.Column("recorded_at", Big, nullable=False),
        sa.Column("closed_through", sa.Integer),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_account_state"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_account_state_account_id"),
        **CLUSTERED,
    )
    op.create_table(
        "api_key",
        _key("account_id"),
        _key("id"),
        sa.Column("name", Bytewise, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("created_at", Big, nullable=False),
        sa.Column("revoked_at", Big),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_api_key"),
        sa.UniqueConstraint("account_id", "name", name="uq_api_key_account_id_name"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_api_key_account_id"),
        **CLUSTERED,
    )


def _ledger() -> None:
    op.create_table(
        "job",
        _key("account_id"),
        _key("state"),
        _key("booked_at", Big),
        _key("id", Bytewise),
        sa.Column("key_id", sa.Integer, nullable=False),
        sa.Column("completed_at", Big, nullable=False),
        sa.Column("recorded_at", Big, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "state", "booked_at", "id", name="pk_job"),
        sa.UniqueConstraint("account_id", "id", name="uq_job_account_id_id"),
        **CLUSTERED,
    )
    for name, stretch in (("usage_day", "day"), ("usage_month", "month")):
        op.create_table(
            name,
            _key("account_id"),
            _key(stretch),
            _key("key_id"),
            sa.Column("jobs", Big, nullable=False),
            sa.PrimaryKeyConstraint("account_id", stretch, "key_id", name=f"pk_{name}"),
            **CLUSTERED,
        )
    op.create_table(
        "boundary",
        _key("account_id"),
        _key("period"),
        _key("rank", Big),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("booked_at", Big, nullable=False),
        sa.Column("job_id", Bytewise, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "period", "rank", name="pk_boundary"),
        **CLUSTERED,
    )
    op.create_table(
        "boundary_usage",
        _key("account_id"),
        _key("period"),
        _key("rank", Big),
        _key("key_id"),
        sa.Column("jobs", Big, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "period", "rank", "key_id", name="pk_boundary_usage"),
        sa.ForeignKeyConstraint(
            ["account_id", "period", "rank"],
            ["boundary.account_id", "boundary.period", "boundary.rank"],
            name="fk_boundary_usage_account_id_period_rank",
            ondelete="CASCADE",
        ),
        **CLUSTERED,
    )


def _plans() -> None:
    op.create_table(
        "meter",
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("report_as", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_meter"),
        sa.UniqueConstraint("id", name="uq_meter_id"),
        sa.UniqueConstraint("report_as", name="uq_meter_report_as"),
        **STRICT,
    )
    op.create_table(
        "plan",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", Bytewise, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_plan"),
        sa.UniqueConstraint("name", name="uq_plan_name"),
        **STRICT,
    )
    op.create_table(
        "plan_version",
        _key("plan_id"),
        _key("effective_month"),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("created_at", Big, nullable=False),
        sa.PrimaryKeyConstraint("plan_id", "effective_month", name="pk_plan_version"),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name="fk_plan_version_plan_id"),
        **CLUSTERED,
    )
    op.create_table(
        "account_plan",
        _key("account_id"),
        _key("effective_month"),
        sa.Column("plan_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "effective_month", name="pk_account_plan"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_account_plan_account_id"),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name="fk_account_plan_plan_id"),
        **CLUSTERED,
    )


def _access() -> None:
    op.create_table(
        "access_token",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("account_id", sa.Integer),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("created_at", Big, nullable=False),
        sa.Column("expires_at", Big),
        sa.Column("revoked_at", Big),
        sa.PrimaryKeyConstraint("id", name="pk_access_token"),
        sa.UniqueConstraint("hash", name="uq_access_token_hash"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_access_token_account_id"),
        **CLUSTERED,
    )


def _quarantine() -> None:
    op.create_table(
        "rejected_item",
        sa.Column("id", sa.Integer, nullable=False, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.Integer, nullable=False),
        sa.Column("first_seen_at", Big, nullable=False),
        sa.Column("last_seen_at", Big, nullable=False),
        sa.Column("times", sa.Integer, nullable=False),
        sa.UniqueConstraint("digest", name="uq_rejected_item_digest"),
        sqlite_autoincrement=True,
        **STRICT,
    )
    op.create_index("ix_rejected_item_last_seen_at", "rejected_item", ["last_seen_at"])
    op.create_table(
        "counter",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", Big, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counter"),
        **CLUSTERED,
    )


def _audit() -> None:
    op.create_table(
        "audit_event",
        sa.Column("id", sa.Integer, nullable=False, primary_key=True),
        sa.Column("at", Big, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sqlite_autoincrement=True,
        **STRICT,
    )
