"""Alembic, driven from code: the service brings its own schema up to date at start."""

from __future__ import annotations

from importlib import resources

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration without a file; `connection` is the one to migrate on."""
    config = Config()
    config.set_main_option(
        "script_location", str(resources.files("bot.store").joinpath("migrations"))
    )
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    command.upgrade(configuration(connection), "head")
