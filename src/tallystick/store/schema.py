"""The tables, for both engines. Large tables lead with `account_id`, so that they can be distributed by it.

Instants are microseconds since 1970 in UTC, days count from 1970-01-01 in the account's zone, months from year 0
(`tallystick.model`). Meters are columns ``tokens_<meter id>`` that `tallystick.store.meters` adds to the tables
named in `METERED`; they are not part of this description, since each deployment has its own.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# STRICT tables of SQLite know INTEGER (64 bits) and TEXT only. SQLite compares text by its bytes, PostgreSQL
# only under the collation "C"; ids must sort alike on both (design rule 9).
Big: Final = BigInteger().with_variant(Integer, "sqlite")
Bytewise: Final = Text().with_variant(Text(collation="C"), "postgresql")
_STRICT: Final[dict[str, Any]] = {"sqlite_strict": True}
_CLUSTERED: Final[dict[str, Any]] = {"sqlite_strict": True, "sqlite_with_rowid": False}

LIVE: Final = 0
SANDBOX: Final = 1
VOIDED: Final = 2

METERED: Final = ("job", "usage_day", "usage_month", "boundary_usage")
"""Tables that have a column for each meter."""

LIFETIME: Final = 0
"""The period of a boundary that counts from the account's first job."""

account = Table(
    "account",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Bytewise, nullable=False, unique=True),
    Column("currency", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    **_STRICT,
)

# The zone stands here and not in `account` because rollups depend on it: who locks the row has both.
account_state = Table(
    "account_state",
    metadata,
    Column("account_id", Integer, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    Column("version", Big, nullable=False),
    Column("live_jobs", Big, nullable=False),
    Column("recorded_at", Big, nullable=False),
    Column("closed_through", Integer),
    Column("time_zone", Text, nullable=False),
    **_CLUSTERED,
)

api_key = Table(
    "api_key",
    metadata,
    Column("account_id", Integer, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", Bytewise, nullable=False),
    Column("kind", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("revoked_at", Big),
    UniqueConstraint("account_id", "name"),
    **_CLUSTERED,
)

job = Table(
    "job",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("state", Integer, primary_key=True, autoincrement=False),
    Column("booked_at", Big, primary_key=True, autoincrement=False),
    Column("id", Bytewise, primary_key=True),
    Column("key_id", Integer, nullable=False),
    Column("completed_at", Big, nullable=False),
    Column("recorded_at", Big, nullable=False),
    UniqueConstraint("account_id", "id"),
    Index(
        "ix_job_late",
        "account_id",
        "booked_at",
        "completed_at",
        sqlite_where=text("booked_at <> completed_at"),
        postgresql_where=text("booked_at <> completed_at"),
    ),
    **_CLUSTERED,
)

# Why and when a job was voided; the job itself stays in the ledger, in another state.
voided_job = Table(
    "voided_job",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("job_id", Bytewise, primary_key=True),
    Column("voided_at", Big, nullable=False),
    Column("reason", Text, nullable=False),
    **_CLUSTERED,
)

usage_day = Table(
    "usage_day",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("key_id", Integer, primary_key=True, autoincrement=False),
    Column("jobs", Big, nullable=False),
    **_CLUSTERED,
)

usage_month = Table(
    "usage_month",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("key_id", Integer, primary_key=True, autoincrement=False),
    Column("jobs", Big, nullable=False),
    **_CLUSTERED,
)

boundary = Table(
    "boundary",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("period", Integer, primary_key=True, autoincrement=False),
    Column("rank", Big, primary_key=True, autoincrement=False),
    Column("day", Integer, nullable=False),
    Column("booked_at", Big, nullable=False),
    Column("job_id", Bytewise, nullable=False),
    **_CLUSTERED,
)

boundary_usage = Table(
    "boundary_usage",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("period", Integer, primary_key=True, autoincrement=False),
    Column("rank", Big, primary_key=True, autoincrement=False),
    Column("key_id", Integer, primary_key=True, autoincrement=False),
    Column("jobs", Big, nullable=False),
    ForeignKeyConstraint(
        ["account_id", "period", "rank"],
        ["boundary.account_id", "boundary.period", "boundary.rank"],
        ondelete="CASCADE",
    ),
    **_CLUSTERED,
)

meter = Table(
    "meter",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    Column("report_as", Text, nullable=False, unique=True),
    **_STRICT,
)

plan = Table(
    "plan",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Bytewise, nullable=False, unique=True),
    Column("currency", Text, nullable=False),
    **_STRICT,
)

# effective_month 0 stands for "from the beginning".
plan_version = Table(
    "plan_version",
    metadata,
    Column("plan_id", Integer, ForeignKey("plan.id"), primary_key=True, autoincrement=False),
    Column("effective_month", Integer, primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    **_CLUSTERED,
)

account_plan = Table(
    "account_plan",
    metadata,
    Column("account_id", Integer, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    Column("effective_month", Integer, primary_key=True, autoincrement=False),
    Column("plan_id", Integer, ForeignKey("plan.id"), nullable=False),
    **_CLUSTERED,
)

# key_id 0 stands for the whole account. An amount is a decimal as text: neither engine's numbers are exact in both.
budget = Table(
    "budget",
    metadata,
    Column("account_id", Integer, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    Column("key_id", Integer, primary_key=True, autoincrement=False),
    Column("amount", Text, nullable=False),
    Column("thresholds", Text, nullable=False),
    **_CLUSTERED,
)

# A row is written once and never changed. `sha256` is that of the document's bytes, which are what is signed.
statement = Table(
    "statement",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("jobs", Big, nullable=False),
    Column("final_cost", Text, nullable=False),
    Column("closed_at", Big, nullable=False),
    Column("signed_by", Text, nullable=False),
    Column("signature", Text, nullable=False),
    Column("late", Big, nullable=False, server_default="0"),
    Column("voided", Big, nullable=False, server_default="0"),
    **_CLUSTERED,
)

# Public keys alone: the private ones are files.
signing_key = Table(
    "signing_key",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    Column("public_key", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("signed_by", Text),
    Column("signature", Text),
    **_STRICT,
)

access_token = Table(
    "access_token",
    metadata,
    Column("id", Text, primary_key=True),
    Column("hash", Text, nullable=False, unique=True),
    Column("scope", Text, nullable=False),
    Column("account_id", Integer, ForeignKey("account.id")),
    Column("label", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("expires_at", Big),
    Column("revoked_at", Big),
    **_CLUSTERED,
)

# A page's session holds a token's authority; `hash` is that of the secret in the browser's cookie.
web_session = Table(
    "web_session",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("token_id", Text, ForeignKey("access_token.id"), nullable=False),
    Column("created_at", Big, nullable=False),
    Column("expires_at", Big, nullable=False),
    Index(None, "expires_at"),
    **_CLUSTERED,
)

rejected_item = Table(
    "rejected_item",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("code", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("first_seen_at", Big, nullable=False),
    Column("last_seen_at", Big, nullable=False),
    Column("times", Integer, nullable=False),
    Column("told", Integer, nullable=False, server_default="0"),
    Index(None, "last_seen_at"),
    Index(None, "told", sqlite_where=text("told = 0"), postgresql_where=text("told = 0")),
    sqlite_autoincrement=True,
    **_STRICT,
)

audit_event = Table(
    "audit_event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Big, nullable=False),
    Column("actor", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    sqlite_autoincrement=True,
    **_STRICT,
)

counter = Table(
    "counter",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Big, nullable=False),
    **_CLUSTERED,
)

# Account 0 is the provider. The unique key is what makes a notice be said once.
notice = Table(
    "notice",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, primary_key=True),
    Column("event", Text, nullable=False),
    Column("subject", Bytewise, nullable=False),
    Column("period", Text, nullable=False),
    Column("threshold", Text, nullable=False),
    Column("said_at", Big, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("account_id", "event", "subject", "period", "threshold"),
    Index(None, "account_id", "said_at", "id"),
    Index(None, "said_at", "id"),
    **_CLUSTERED,
)

# The version of an account's state as of which it was looked at, and the last month whose statement it was told of. By
# something else than its jobs a look was `asked` for so many times, so many of which were `answered`. `announced` is 0
# until the provider has heard of the account.
notice_mark = Table(
    "notice_mark",
    metadata,
    Column("account_id", Integer, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    Column("version", Big, nullable=False),
    Column("announced", Integer, nullable=False),
    Column("told_through", Integer, nullable=False, server_default="-1"),
    Column("asked", Big, nullable=False, server_default="0"),
    Column("answered", Big, nullable=False, server_default="0"),
    Index(None, "announced", sqlite_where=text("announced = 0"), postgresql_where=text("announced = 0")),
    **_CLUSTERED,
)

# Secrets are sealed as `tallystick.ledger.sealing` says. Account 0 is the provider.
webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Integer, nullable=False),
    Column("url", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("secret", Text, nullable=False),
    Column("old_secret", Text),
    Column("old_secret_until", Big),
    Column("failing_since", Big),
    Column("off_since", Big),
    Column("off_reason", Text),
    Index(None, "account_id"),
    **_CLUSTERED,
)

# State 0 waits. A delivery that a process has claimed is due again when its lease has run out.
webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("endpoint_id", Text, primary_key=True),
    Column("notice_id", Text, primary_key=True),
    Column("notice_account_id", Integer, nullable=False),
    Column("event", Text, nullable=False),
    Column("state", Integer, nullable=False),
    Column("due_at", Big, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("since", Integer, nullable=False),
    Column("created_at", Big, nullable=False),
    Index(
        "ix_webhook_delivery_waiting",
        "account_id",
        "endpoint_id",
        "due_at",
        sqlite_where=text("state = 0"),
        postgresql_where=text("state = 0"),
    ),
    Index("ix_webhook_delivery_due", "due_at", sqlite_where=text("state = 0"), postgresql_where=text("state = 0")),
    Index("ix_webhook_delivery_listing", "account_id", "endpoint_id", "created_at", "notice_id"),
    Index(None, "created_at"),
    **_CLUSTERED,
)

webhook_attempt = Table(
    "webhook_attempt",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("endpoint_id", Text, primary_key=True),
    Column("notice_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Big, nullable=False),
    Column("url", Text, nullable=False),
    Column("status", Integer),
    Column("milliseconds", Integer, nullable=False),
    Column("error", Text),
    ForeignKeyConstraint(
        ["account_id", "endpoint_id", "notice_id"],
        ["webhook_delivery.account_id", "webhook_delivery.endpoint_id", "webhook_delivery.notice_id"],
        ondelete="CASCADE",
    ),
    **_CLUSTERED,
)
