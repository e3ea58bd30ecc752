"""What a statement counts beside its live jobs, so that a list of statements reads no documents."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_COUNTS = ("late", "voided")


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for name in _COUNTS:
        op.add_column("statement", sa.Column(name, big, nullable=False, server_default="0"))
        found = (
            f"json_extract(document, '$.jobs.{name}')" if is_sqlite else f"(document::json->'jobs'->>'{name}')::bigint"
        )
        op.execute(f"UPDATE statement SET {name} = {found}")
