"""Run by Alembic: the migrations, on the connection and in the transaction that opening the history began."""

from __future__ import annotations

from alembic import context

from hvctl.history.schema import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
