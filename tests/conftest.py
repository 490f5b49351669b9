"""Fixtures for all tests: an empty database of either kind."""

from __future__ import annotations

import gc
import logging
import shutil
import sqlite3
import sys
import uuid
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, settings
from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection
from sqlalchemy.pool import Pool
from sqlalchemy.types import NullType
from sqlalchemy.util import LRUCache

from bot.simulator.entra import Entra
from bot.store.database import Database, migrate_to_head
from tests.support.postgres import Postgres, started
from tests.support.waiting import Clock

# Speed is no property of the code: a busy machine must not fail a test.
settings.register_profile("offhook", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("offhook")


@event.listens_for(Pool, "checkout")
def wait_for_no_disk(connection: Any, record: Any, _proxy: object) -> None:
    """The service waits for SQLite's data to be on the disk. Tests lose no power."""
    if (
        isinstance(connection, sqlite3.Connection | AsyncAdapt_aiosqlite_connection)
        and not record.info
    ):
        record.info["waits"] = False
        connection.execute("PRAGMA synchronous=OFF").close()


class CompiledStatements(LRUCache[tuple[Any, ...], Any]):
    """SQL by statement, of all databases of a kind. SQLAlchemy keeps it for each engine, so apart."""

    def __getitem__(self, key: tuple[Any, ...]) -> Any:
        return super().__getitem__(_with_kind(key))

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return super().get(_with_kind(key), default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        # Those of `bot.store.statement`. A date without type would be compared as it is, and not in UTC.
        values = (each for each in compiled.binds.values() if each.key.endswith("_"))
        untyped = [each.key for each in values if isinstance(each.type, NullType)]
        assert not untyped, f"{compiled}: no column tells the type of {untyped}"
        super().__setitem__(_with_kind(key), compiled)


def _with_kind(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """SQLAlchemy's key begins with the engine's own dialect."""
    return (type(key[0]), *key[1:])


_COMPILED = CompiledStatements(2000)


@event.listens_for(Engine, "engine_connect")
def compile_once(connection: Connection) -> None:
    """The service compiles each statement once, for its only engine. Tests open thousands of them.

    Not an option of each connection, which takes its time.
    """
    connection.engine._compiled_cache = _COMPILED  # pyright: ignore[reportPrivateUsage]


@pytest.hookimpl(trylast=True)
def pytest_runtest_logfinish() -> None:
    """What a failed test has left open is not held against the next one.

    Python warns of it once it is collected, which a later test with many objects brings about.
    """
    if getattr(sys, "last_value", None) is None:
        return
    del sys.last_type, sys.last_value, sys.last_traceback  # whose frames refer to it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture(scope="session", autouse=True)
def one_signing_key() -> Iterator[None]:
    """Every simulated Entra ID signs with the same key: making one takes longer than many a test."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Entra, "key", key)
        yield


def pytest_configure() -> None:
    """A log for failed tests, in plain lines: structlog's own default colors and measures each one."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    )


@pytest.fixture(autouse=True)
def unchanged_logging() -> Iterator[None]:
    """What a test configures of the log ends with the test."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of the test's event loop."""
    return Clock(monkeypatch)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with started() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """The URL of a new PostgreSQL database."""
    return postgres.create()


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Of database: the test runs with both."""
    return request.param


@pytest.fixture
def new_database_url(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[], str]:
    """Returns the URL of another new database at each call."""
    if kind == "sqlite":
        return lambda: f"sqlite:///{tmp_path / uuid.uuid4().hex}.db"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.create


@pytest.fixture
def database_url(new_database_url: Callable[[], str]) -> str:
    """The URL of a new database, without tables."""
    return new_database_url()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with empty tables, to copy: migrating one takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "offhook.db"
    migrate_to_head(f"sqlite:///{path}")
    return path


@pytest.fixture
async def database(
    kind: str, request: pytest.FixtureRequest, migrated: Path, tmp_path: Path
) -> AsyncIterator[Database]:
    """A database with empty tables."""
    with ExitStack() as stack:
        if kind == "sqlite":
            file = shutil.copy(migrated, tmp_path / f"{uuid.uuid4().hex}.db")
            url = f"sqlite:///{file}"
        else:
            postgres: Postgres = request.getfixturevalue("postgres")
            url = stack.enter_context(postgres.lent())
        opened = Database(url)
        yield opened
        await opened.close()
