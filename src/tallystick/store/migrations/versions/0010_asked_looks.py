"""How often a look at an account was asked for beside its jobs, and how many of these looks were had."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    for name in ("asked", "answered"):
        op.add_column("notice_mark", sa.Column(name, big, nullable=False, server_default="0"))
    # Below 0 a version asked for a look, and no longer said as of which one the last look was.
    op.execute("UPDATE notice_mark SET version = 0, asked = 1 WHERE version < 0")
