"""Which closed months an account was told of, and an index of the jobs that came late."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("notice_mark", sa.Column("told_through", sa.Integer, nullable=False, server_default="-1"))
    late = sa.text("booked_at <> completed_at")
    op.create_index(
        "ix_job_late", "job", ["account_id", "booked_at", "completed_at"], sqlite_where=late, postgresql_where=late
    )
    # What is closed already is no news.
    op.execute(
        "UPDATE notice_mark SET told_through = COALESCE((SELECT closed_through FROM account_state"
        " WHERE account_state.account_id = notice_mark.account_id), -1)"
    )
