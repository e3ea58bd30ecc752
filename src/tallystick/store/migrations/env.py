"""Alembic's entry: runs the revisions on the connection that `upgrade` hands over."""

from alembic import context

from tallystick.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
