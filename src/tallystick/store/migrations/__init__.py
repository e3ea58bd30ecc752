"""The schema's history, run by Alembic inside the transaction of whoever opens the database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, inspect, text

from tallystick.errors import StoreError
from tallystick.model.maintenance import SchemaState

if TYPE_CHECKING:
    from alembic.config import Config

HEAD: Final = "0010"
"""The newest revision. Kept here so that opening an up-to-date database need not start Alembic."""


def version(connection: Connection) -> str | None:
    """The revision that the database has, `None` where it is new."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def upgrade(connection: Connection) -> None:
    """Brings the schema to `HEAD`. Raises `StoreError` where it is newer than this program."""
    current = version(connection)
    if current == HEAD:
        return
    if state_of(current) == "newer":
        raise StoreError(
            f"the database has schema {current}, which is newer than this program's {HEAD}; use a newer Tallystick",
            code="schema_too_new",
        )
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


def state_of(current: str | None) -> SchemaState:
    """How a revision stands to `HEAD`."""
    if current is None:
        return "empty"
    if current == HEAD:
        return "current"
    from alembic.script import ScriptDirectory

    known = {revision.revision for revision in ScriptDirectory.from_config(_config()).walk_revisions()}
    return "behind" if current in known else "newer"


def _config() -> Config:
    # Alembic takes long to import and is needed once in a database's life.
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config
