"""Alembic, driven from code: the service brings its own schema up to date at start.

Alembic is imported by the functions that need it: a start without a pending migration does not, which
saves its time and memory.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = resources.files("bot.store").joinpath("migrations")


def newest_revision() -> str:
    """The last migration's. Files are named after their revisions, which count up."""
    names = (entry.name for entry in _MIGRATIONS.joinpath("versions").iterdir())
    return max(name for name in names if name[0].isdigit()).partition("_")[0]


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration without a file; `connection` is the one to migrate on."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    """Run the missing migrations."""
    if _revision(connection) == newest_revision():
        return
    from alembic import command

    command.upgrade(configuration(connection), "head")


def _revision(connection: Connection) -> str | None:
    """The schema's; None without one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
