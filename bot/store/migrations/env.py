"""Alembic's entry: migrations run on the connection that `bot.store.migrate` hands over."""

from __future__ import annotations

from alembic import context

from bot.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter a table in place
    compare_type=True,
    user_module_prefix="",
)
with context.begin_transaction():
    context.run_migrations()
