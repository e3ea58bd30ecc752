"""Sessions of the web pages."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

Big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
CLUSTERED: dict[str, Any] = {"sqlite_strict": True, "sqlite_with_rowid": False}


def upgrade() -> None:
    op.create_table(
        "web_session",
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("token_id", sa.Text, nullable=False),
        sa.Column("created_at", Big, nullable=False),
        sa.Column("expires_at", Big, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_web_session"),
        sa.ForeignKeyConstraint(["token_id"], ["access_token.id"], name="fk_web_session_token_id"),
        **CLUSTERED,
    )
    op.create_index("ix_web_session_expires_at", "web_session", ["expires_at"])
